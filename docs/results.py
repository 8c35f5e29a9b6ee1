"""Make the pages of figures, and the tables of the READMEs and guides, from benchmarks/results. `make docs` runs it.

A table stands between two comments: <!-- begin: labeling --> and <!-- end -->. What was not measured is said to be missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = ROOT / "benchmarks" / "results"
HEAD = "<!-- Made by `make docs` from benchmarks/results. Measure again with `make bench`; do not edit this page. -->\n\n"
BLOCK = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
PAGES_WITH_TABLES = ("README.md", "README.es.md", "docs/guides/label.md", "docs/guides/augmentation.md")
MISSING = "Not measured yet: run `make bench`.\n"

HOW_GOOD = """\
One set of defaults for every data set. Beside it, in the same run on the same rows, scikit-learn: TF-IDF (words 1-2,
characters 2-5 within words) and logistic regression, for the table one-hot categories and standardized numbers. Its penalty
is chosen on dev, as ours is. Figures are points of 100, in brackets the 95 % interval. The difference is Cauce less
scikit-learn, its interval from paired bootstraps: where it holds 0, no difference is shown.
"""
OF_OTHERS = """\
The published figures are of the same test rows, without intervals. SVM, FastText and BiLSTM are models of a size that a
laptop trains; the others are transformers that were trained on very large collections first. `tweeteval/sentiment` is
trained here on tweets that were put together again from the SemEval files of 2013 to 2016, without those of dev and test,
so its training rows are not quite theirs.
"""
SMALLER = """\
What a smaller model would cost, on dev: points of the data set's figure against 32-bit floats, from paired bootstraps.
*dropped* buckets are gone; *silenced* ones still count in a text's length. Cauce writes 16-bit weights, and leaves none out:
[why](design-notes.md#the-linear-weights-are-16-bit-whole-numbers).
"""

OF_FORMS = """\
`fp32` is a transformer as it was saved; `int8`, `bf16` and the one of fewer layers are its variants, made by `cauce optimize`,
here without a gate: what it would keep out is shown too. `linear`, `lstm` and `taught` (an LSTM that learns from the
transformer) are models of their own. All answer the same texts in turns: read, cut into tokens, computed, scored.
"""

OF_NETWORKS = """\
`transformer` is the packaged MiniLM with its defaults, `lstm` the LSTM recipe with its own, `taught` an LSTM that learned from
the transformer of the same seed and, but for sentiment, from tweets without labels. One set of defaults for every data set. A
figure is the mean of its seeds; intervals are paired bootstraps of the rows. Published figures of other models on the same test
rows are on [the page of the linear recipe](quality.md).
"""
OF_SERVERS = """\
All serve the same int8 MiniLM on the same two processors, one tweet a request, each in an environment of its own and at the
best setting that was found for it: a worker a processor, one thread each. The load comes from the same machine. Rates are
requests a second at so many connections, medians of the turns; in brackets the median time of an answer in milliseconds.
*Alone* is the runtime without a server, in the layout in which it is served: a thread a processor, one tweet a call.
"""
OF_STREAMS = """\
One worker with a linear model: messages are read, validated, told from those that were answered before, answered, written and
acknowledged. Every job is the real command in a process of its own; Redis runs on the same processors. Medians of the turns.
"""
OF_LOOPS = """\
Messages a second of one worker, beside a loop of a dozen lines that reads and writes 2,000 at a time without a model, and the
same loop that asks the model message by message. The difference is what a message takes more than in the loop without a model.
"""
OF_OVERLOAD = """\
More is asked than the server can do, whether or not earlier requests were answered, and everybody waits for a second at most.
"""
KINDS_OF_NETWORKS = ("transformer", "lstm", "taught")

# Of the test parts, as their authors published them: Barbieri et al., "TweetEval", 2020, with its public leaderboard, and
# Barbieri et al., "XLM-T", 2022.
PUBLISHED = {
    "tweeteval/emotion": {"SVM": 64.7, "FastText": 65.2, "BiLSTM": 66.0, "RoBERTa-base": 76.1, "BERTweet": 79.3},
    "tweeteval/irony": {"SVM": 61.7, "FastText": 63.1, "BiLSTM": 62.8, "RoBERTa-base": 59.7, "BERTweet": 82.1},
    "tweeteval/offensive": {"SVM": 52.3, "FastText": 73.4, "BiLSTM": 71.7, "RoBERTa-base": 79.5, "BERTweet": 79.5},
    "tweeteval/sentiment": {"SVM": 62.9, "FastText": 62.9, "BiLSTM": 58.3, "RoBERTa-base": 71.3, "BERTweet": 73.4},
    "umsab/spanish": {"FastText": 50.1, "XLM-R": 65.9, "XLM-T": 68.5},
}
CALLED = {  # in the guides and the Spanish README
    "umsab/spanish": ("Spanish tweets, sentiment", "tuits en español, sentimiento"),
    "umsab/english": ("English tweets, sentiment", "tuits en inglés, sentimiento"),
    "tweeteval/emotion": ("English tweets, emotion", "tuits en inglés, emoción"),
    "tweeteval/irony": ("English tweets, irony", "tuits en inglés, ironía"),
    "tweeteval/offensive": ("English tweets, offensive or not", "tuits en inglés, ofensivos o no"),
    "tweeteval/sentiment": ("English tweets, sentiment", "tuits en inglés, sentimiento"),
    "banking77": ("bank customers, 77 intents", "clientes de un banco, 77 intenciones"),
    "bank_marketing": ("a bank's campaign, a table: who buys", "campaña de un banco, una tabla: quién compra"),
}
FIGURES_IN_SPANISH = {
    "F1 of the ironic class": "F1 de la clase irónica",
    "accuracy": "exactitud",
    "macro recall": "exhaustividad macro",
}


def result(name: str) -> dict[str, Any]:
    """A result file, empty where it is not there."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (heads, *rows)]
    return "\n".join([lines[0], "|---" * lines[0].count(" | ") + "|---|", *lines[1:], ""])


def value(figure: list[float]) -> str:
    """A figure with its interval."""
    return f"{figure[0]:.1f} [{figure[1]:.1f}, {figure[2]:.1f}]"


def difference(figure: list[float]) -> str:
    """A difference with its interval, signed."""
    middle, low, high = (f"{round(end, 1) + 0:+.1f}" for end in figure)  # no -0.0
    return f"{middle} [{low}, {high}]"


def rate(figure: dict[str, int]) -> str:
    """A rate with its least and most."""
    return f"{figure['median']:,} ({figure['min']:,} to {figure['max']:,})"


def quality_page() -> str:
    """How good the linear recipe is, with the figures that others published."""
    found = result("quality")
    if not found:
        return "# How good\n\n" + MISSING
    parts = ["# How good\n", HOW_GOOD, "## On test\n"]
    if found["test"]:
        parts += [quality_rows(found["test"], published=True), OF_OTHERS]
    else:
        parts += ["The test parts have not been read with these defaults.\n"]
    times = found["times_test_was_read"]
    parts += [f"Every run that read the test parts is counted: {times} so far. No choice was made on them.\n", "## On dev\n"]
    parts += ["Choices were made on these rows, so the figures are a little too good.\n", quality_rows(found["dev"])]
    parts += ["## What it takes\n", "Seconds to train, the penalty chosen among several in both; megabytes of weights.\n"]
    parts += [
        table(
            ("data", "rows", "Cauce, s", "scikit-learn, s", "weights, MB"),
            (
                (name, row["rows"]["train"], row["seconds"]["cauce"], row["seconds"]["scikit_learn"], row["weights_mb"])
                for name, row in (found["dev"] | found["test"]).items()
            ),
        )
    ]
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return "\n".join([*parts, f"Made by `benchmarks/quality.py`: {versions}.\n"])


def quality_rows(rows: dict[str, Any], *, published: bool = False) -> str:
    """The figures of one part."""
    heads = ["data", "figure", "rows", "Cauce", "scikit-learn", "difference"] + ["published"] * published
    return table(
        heads,
        (
            [name, row["metric"], row["rows"]["measured"], value(row["cauce"]), value(row["scikit_learn"])]
            + [difference(row["difference"])]
            + [", ".join(f"{who} {figure}" for who, figure in PUBLISHED.get(name, {}).items()) or "none"] * published
            for name, row in rows.items()
        ),
    )


def speed_page() -> str:
    """How fast the linear model is, and why no weights are left out."""
    found, pruning = result("speed"), result("pruning")
    parts = ["# How fast\n", "## Answers and training\n", speed(found) if found else MISSING, "## Smaller weights\n"]
    if not pruning:
        return "\n".join([*parts, MISSING])
    parts += [SMALLER]
    for name, row in pruning["dev"].items():
        forms = ((form, one["megabytes"], difference(one["difference"])) for form, one in row["forms"].items())
        parts += [f"### {name}, {row['metric']}, {row['buckets']:,} buckets\n", table(("weights", "MB", "difference"), forms)]
    return "\n".join([*parts, f"Made by `benchmarks/pruning.py` on {pruning['processor']}.\n"])


def speed(found: dict[str, Any]) -> str:
    """Rates, seconds and memory."""
    single, seconds, load = found["one_text_microseconds"], found["train_seconds"], found["load"]
    rows = (
        ("tweets a second, `Model.predict_arrow`", rate(found["predict_arrow_tweets_per_second"])),
        ("scikit-learn's TF-IDF pipeline, same run", rate(found["scikit_learn_tweets_per_second"])),
        ("ratio", found["ratio"]),
        ("one text in `Model.predict`, µs", f"{single['median']} (99 % under {single['p99']})"),
        (f"training on {found['tweets']:,} tweets, s", seconds["tweets"]),
        ("training on banking77 (77 labels), s", seconds["banking77"]),
        ("memory to load and score, above the texts, MiB", found["scoring_peak_memory_mib"]),
    )
    return "\n".join(
        (
            f"One model folder of {found['tweets']:,} real tweets, {found['threads']} threads, the normalizer included.\n",
            table(("what", "measured"), rows),
            f"Load of the machine before and after: {load['before'][0]} and {load['after'][0]}. Above the number of threads,",
            f"others were using it, and the rates are too low. Made by `benchmarks/speed.py` on {found['processor']}.\n",
        )
    )


def variants_page() -> str:
    """Quality against speed, of every form of a model."""
    found = result("variants")
    if not found:
        return "# Quality and speed of every form\n\n" + MISSING
    rows = (
        (
            name,
            value([100 * one["quality"][end] for end in ("value", "low", "high")]),
            rate(one["texts_per_second"]),
            f"{one['p50_ms']:.2f} / {one['p95_ms']:.2f}",
            one["megabytes"],
            "one row a call" if one["batching"] == "single" else "any",
        )
        for name, one in found["forms"].items()
    )
    figure = f"{found['metric']} on {found['part']}"
    heads = ("form", figure, "texts a second", "one text, ms (p50 / p95)", "MB", "batches")
    load, times = [found["load"][when][0] for when in ("before", "after")], found["times_test_was_read"]
    return "\n".join(
        (
            "# Quality and speed of every form\n",
            f"![{figure} of {found['data']} against texts a second](images/variants.svg)\n",
            OF_FORMS,
            f"{found['data']}, {found['rows']:,} rows of {found['part']}, {found['threads']} threads.",
            "In brackets the 95 % interval.\n",
            table(heads, rows),
            f"Runs that read the test part are counted: {times} so far. Load of the machine before and after: {load[0]}",
            f"and {load[1]}; above the number of threads, others were using it. Made by `benchmarks/variants.py` on",
            f"{found['processor']}. What passes on your data and processor: [Optimize a network](guides/optimize.md).\n",
        )
    )


def networks_page() -> str:
    """How good transformer and LSTM are, of several seeds each."""
    found = result("networks")
    parts = ["# How good the networks are\n"]
    if not found:
        return "\n".join([*parts, MISSING])
    parts.append(OF_NETWORKS)
    for part in [part for part in ("test", "dev") if found[part]]:
        rows = []
        for name, one in found[part].items():
            kinds = [kind for kind in KINDS_OF_NETWORKS if kind in one]
            for kind in kinds:
                mine = one[kind]
                minutes = f"{max(mine['minutes']):.1f}" if part == "test" else ""
                rows.append((name, one["metric"], kind, value(mine["figure"]), len(mine["seeds"]), minutes))
            if "taught_over_lstm" in one:
                rows.append((name, one["metric"], "taught less lstm", difference(one["taught_over_lstm"]), "", ""))
        heads = ("data", "figure", "model", "points [95 % interval]", "seeds", "longest training, minutes")
        parts += [f"## On {part}\n", table(heads, rows)]
    times = found["times_test_was_read"]
    parts.append(f"Runs that read the test parts: {times}. Made by `benchmarks/networks.py` on {found['processor']}.\n")
    return "\n".join(parts)


def served_page() -> str:
    """How fast a model is served, beside other servers; what is left under too much load; how soon a server answers."""
    found, overload, cold = result("online"), result("online_overload"), result("online_cold")
    parts = ["# How fast it is served\n"]
    if not found:
        return "\n".join([*parts, MISSING])
    lists = next(one for name, one in found.items() if name.startswith("linear, lists"))
    load = found["load"]
    parts += [
        OF_SERVERS,
        "## A transformer\n",
        of_servers(found["transformer, int8"]),
        f"Alone: {found['offline_texts_per_second']:,.0f} a second.\n",
        "## A linear model\n",
        "Beside it a route of FastAPI and pydantic that returns a constant.\n",
        of_servers(found["linear"]),
        f"In lists of 1,000 tweets: {lists['tweets_per_second']:,} tweets a second.\n",
        f"Load of the machine before and after: {load['before'][0]} and {load['after'][0]}.",
        f"Made by `benchmarks/online/run.py` on {found['processor']}.\n",
    ]
    if overload:
        parts += ["## Too much load\n", OF_OVERLOAD, of_overload(overload)]
    if cold:
        starts = ((name, cold[name]["median_s"]) for name in ("linear", "transformer, int8"))
        parts += ["## From the start of the process to the first right answer\n", table(("model", "seconds, median"), starts)]
    return "\n".join(parts)


def of_servers(found: dict[str, Any]) -> str:
    """Rates and times of each server, by connections."""
    connections = list(next(iter(found.values())))
    rows = (
        (name, *(f"{one[at]['requests_per_second']:,.0f} ({one[at]['p50_ms']:.2f})" for at in connections))
        for name, one in found.items()
    )
    return table(("server", *connections), rows)


def of_overload(found: dict[str, Any]) -> str:
    """What is answered in time, and how soon a refusal comes."""
    rows = (
        (
            name,
            f"{100 * one['share_of_most']:.0f} %",
            f"{one['refused_ms']['p50']:.0f} / {one['refused_ms']['p99']:.0f}",
            one["memory_mb"],
        )
        for name, one in found.items()
        if name.endswith("times")
    )
    return table(("asked, of the most that it can do", "answered in time", "refused after, ms (p50 / p99)", "memory, MB"), rows)


def quality_in_short(language: int) -> str:
    """The READMEs' table: on test where that was measured."""
    found = result("quality")
    if not found:
        return MISSING
    part = "test" if found["test"] else "dev"
    heads = (
        (f"on {part}, points [95 % interval]", "figure", "Cauce", "scikit-learn"),
        (f"en {part}, puntos [intervalo del 95 %]", "cifra", "Cauce", "scikit-learn"),
    )[language]
    caveat = (
        "\nChoices were made on the *dev* rows, so these figures are a little too good.\n",
        "\nCon las filas de *dev* se tomaron decisiones, así que estas cifras son un poco demasiado buenas.\n",
    )[language]
    words = FIGURES_IN_SPANISH if language else {}
    rows = [
        (
            CALLED.get(name, (name, name))[language],
            words.get(row["metric"], row["metric"]),
            value(row["cauce"]),
            value(row["scikit_learn"]),
        )
        for name, row in found[part].items()
    ]
    return table(heads, rows) + (caveat if part == "dev" else "")


def labeling() -> str:
    """What the useful order of `cauce label` is worth."""
    found = result("labeling")
    if not found:
        return MISSING
    return table(
        ("data", "labels", "after", "random", "useful", "difference"),
        (
            (
                CALLED[name][0],
                row["labels"],
                after,
                f"{one['random']:.1f}",
                f"{one['useful']:.1f}",
                difference(one["difference"]),
            )
            for name, row in found["dev"].items()
            for after, one in row["after"].items()
            if after in ("100", "400")
        ),
    )


def augmentation() -> str:
    """What altered copies and spelling correction gave, on clean and on faulty texts."""
    found = result("augmentation")
    if not found:
        return MISSING
    rows = []
    for name, kinds in found["tables"].items():
        measured, how = name.rsplit(": ", 1)
        data, part = measured.split(", ", 1)
        for texts, one in kinds.items():
            figures = (f"{one['usual']:.1f}", f"{one['with']:.1f}", difference(one["difference"]))
            rows.append((CALLED[data][0], part, f"`{how}`", texts, *figures))
    return table(("data", "measured on", "with", "asked", "without it", "with it", "difference"), rows)


def streamed_page() -> str:
    """How fast messages are answered: files, brokers beside plain loops, latency."""
    found = result("stream")
    parts = ["# How fast streams are answered\n"]
    if not found:
        return "\n".join([*parts, MISSING])
    files, brokers, latency, load = found["to_parquet"], found["brokers"], found["latency_ms_at_1000"], found["load"]
    called = {"jsonl": "JSON lines", "arrow": "Arrow"}
    kinds = ("cauce", "loop", "one_by_one")
    rates = {name: [f"{one[kind]:,}" if one[kind] else "" for kind in kinds] for name, one in brokers.items()}
    loops = ((name, *rates[name], one["overhead_us"]) for name, one in brokers.items())
    parts += [
        OF_STREAMS,
        "## From a file to Parquet\n",
        f"{found['messages']:,} messages. *Running* leaves out the start of the process, {found['start_s']} s.\n",
        table(
            ("from", "messages a second, running", "whole command"),
            ((called[kind], f"{one['running']:,}", f"{one['whole_command']:,}") for kind, one in files.items()),
        ),
        "## From a broker to the same broker\n",
        OF_LOOPS,
        table(("broker", "Cauce", "loop without a model", "loop, one by one", "difference, µs"), loops),
        "## From a message to its result\n",
        f"1,000 messages a second through Redis with `--max-delay 20ms`: {latency['p50']:.0f} ms at the median, "
        f"{latency['p99']:.0f} ms at the 99th percentile, {latency['highest']:.0f} ms at most.\n",
    ]
    if int8 := found["int8"]:
        parts += [
            "## A transformer\n",
            f"MiniLM as int8: {int8['streamed']:.0f} messages a second through Redis, {int8['offline']:.0f} in one call of "
            f"Python: {100 * int8['share']:.0f} %.\n",
        ]
    parts += [
        f"Load of the machine before and after: {load['before']} and {load['after']}. "
        f"Made by `benchmarks/stream/run.py` on {found['processor']}.\n"
    ]
    return "\n".join(parts)


WHOLE: dict[str, Callable[[], str]] = {
    "quality.md": quality_page,
    "speed.md": speed_page,
    "variants.md": variants_page,
    "networks.md": networks_page,
    "served.md": served_page,
    "streamed.md": streamed_page,
}
TABLES: dict[str, Callable[[], str]] = {
    "quality": lambda: quality_in_short(0),
    "calidad": lambda: quality_in_short(1),
    "labeling": labeling,
    "augmentation": augmentation,
}


def filled(page: str) -> str:
    """The page with its tables as they are now."""
    return BLOCK.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page)


if __name__ == "__main__":
    for name, made in WHOLE.items():
        (HERE / name).write_text(HEAD + made(), encoding="utf-8")
    for name in PAGES_WITH_TABLES:
        page = ROOT / name
        page.write_text(filled(page.read_text("utf-8")), encoding="utf-8")
