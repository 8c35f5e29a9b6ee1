"""The model card: what the model is, what it was made of, what it is good for and where it is weak, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from cauce.evaluation.markup import in_code, in_markdown
from cauce.evaluation.metrics import PER_CLASS, Figure
from cauce.evaluation.sentences import (
    foreign_said,
    headline,
    measured,
    slice_name,
    slice_value,
    things,
    usual,
    verdict,
)
from cauce.evaluation.study import MISTAKES, Study
from cauce.evaluation.words import Words
from cauce.model import folder
from cauce.model.golden import ROWS as GOLDEN_ROWS
from cauce.model.manifest import Manifest
from cauce.text.spelling import FILE as SPELLING_FILE

SECTIONS = (
    "what", "data", "use", "misuse", "figures", "labels", "limits", "foreign", "privacy", "training", "version",
)  # fmt: skip
LABELS, WEAKEST, FEW_SHOWN = 100, 3, 8  # labels and slices that are listed


def card(manifest: Manifest, study: Study, words: Words) -> str:
    """The whole card, in the language of the words."""
    write = {
        "what": _what, "data": _data, "use": _use, "misuse": _misuse, "figures": _figures, "labels": _labels,
        "limits": _limits, "foreign": _foreign, "privacy": _privacy, "training": _training, "version": _version,
    }  # fmt: skip
    parts = [f"# {words('card.title', name=in_markdown(manifest.name))}"]
    for name in SECTIONS:
        parts += [f"## {words(f'card.{name}')}", *write[name](manifest, study, words)]
    return "\n\n".join(parts) + "\n"


def _what(manifest: Manifest, study: Study, words: Words) -> list[str]:
    inputs = words.listed(f"`{in_code(one.name)}` ({one.type})" for one in manifest.inputs)
    said = words("card.what.is", task=words(f"task.{manifest.task}"), recipe=in_code(manifest.recipe.name), inputs=inputs)
    if manifest.task == "regression":
        return [said, words("card.what.number", target=in_code(manifest.labels[0]))]
    return [said, words("card.what.labels", labels=_first([f"`{in_code(label)}`" for label in manifest.labels], words))]


def _data(manifest: Manifest, study: Study, words: Words) -> list[str]:
    digest = words("card.data.hash", hash=manifest.data.sha256)
    training = study.training
    if training is None:
        return [words("card.data.rows", rows=manifest.data.rows), digest, words("data.unknown")]
    parts = words.listed(f"{words.named('part', part)} {words.count(rows)}" for part, rows in training.parts.items())
    rows = sum(training.parts.values())
    out = [words("card.data.source", source=in_code(training.source), rows=rows, parts=parts), digest, _languages(study, words)]
    if training.counts:
        counts = [f"`{in_code(label)}` {words.count(rows)}" for label, rows in training.counts.items()]
        out.append(words("card.data.counts", counts=_first(counts, words)))
    if all(one.severity == "info" for one in training.findings):
        return [*out, words("card.data.clean")]
    found = [
        f"- {words.named('severity', one.severity)}: {words.named('finding', one.code, count=one.count)}"
        for one in training.findings
        if one.severity != "info"
    ]
    return [*out, words("card.data.findings"), "\n".join(found)]


def _languages(study: Study, words: Words) -> str:
    counts = _told(study)
    if not counts:
        return words("card.data.no languages")
    shares = words.listed(
        f"{words.named('language', code)} {words.percent(count / sum(counts.values()))}" for code, count in counts.items()
    )
    return words("card.data.languages", languages=shares)


def _told(study: Study) -> dict[str, int]:
    """Rows of the training by language, where it was told, the most first."""
    counts = study.training.languages if study.training else {}
    told = {code: count for code, count in counts.items() if code != "unknown"}
    return dict(sorted(told.items(), key=lambda one: -one[1]))


def _use(manifest: Manifest, study: Study, words: Words) -> list[str]:
    named = words.listed(words.named("language", code) for code in _told(study)) or words("card.use.no languages")
    said = words("card.use.text", things=things(manifest, words), languages=named)
    return [said[0].upper() + said[1:]]


def _misuse(manifest: Manifest, study: Study, words: Words) -> list[str]:
    said = words("card.misuse.text", things=things(manifest, words).capitalize())
    return [said if study.beats_baseline else f"{said}\n{words('card.misuse.baseline')}"]


def _figures(manifest: Manifest, study: Study, words: Words) -> list[str]:
    heads = ("figure", "value", "low", "high", "usual")
    rows = [
        (words.named("metric", name), *_written(figure, words), words.number(study.baseline[name].value))
        for name, figure in study.metrics.items()
    ]
    said = [*(say(manifest, study, words) for say in (headline, usual, measured)), verdict(study, words)]
    return [*(in_markdown(one) for one in said), _table([words(f"card.{head}") for head in heads], rows)]


def _labels(manifest: Manifest, study: Study, words: Words) -> list[str]:
    if not study.per_class:
        return [words("labels.none")]
    shown = sorted(study.per_class, key=lambda label: -study.counts[label])[:LABELS]
    rows = [
        (
            f"`{in_code(label)}`",
            words.count(study.counts[label]),
            *(words.number(study.per_class[label][name].value) for name in PER_CLASS),
            words.interval(study.per_class[label]["f1"]),
        )
        for label in shown
    ]
    heads = [words("label"), words("rows"), *(words(name) for name in PER_CLASS), f"{words('f1')}, {words('95 %')}"]
    more = [words("labels.shown", shown=len(shown), labels=len(study.per_class))] if len(shown) < len(study.per_class) else []
    return [_table(heads, rows), *more]


def _limits(manifest: Manifest, study: Study, words: Words) -> list[str]:
    out = []
    whole = slice_value(study, study.metrics["mae" if "mae" in study.metrics else "accuracy"], words)[0]
    large = [one for one in study.slices if not one.small]
    for one in study.worst:
        value, interval = slice_value(study, one.figure, words)
        said = words(
            "card.limits.worst", slice=slice_name(one, words), value=value, interval=interval, rows=one.rows, whole=whole
        )
        out.append(said)
    if not study.slices:
        out.append(words("card.limits.none"))
    elif not study.worst:
        out.append(words("card.limits.even"))
        if large:
            lowest = (max if "mae" in study.metrics else min)(large, key=lambda one: one.figure.value)
            value, interval = slice_value(study, lowest.figure, words)
            out.append(
                words("card.limits.lowest", slice=slice_name(lowest, words), value=value, interval=interval, rows=lowest.rows)
            )
    few = [f"{slice_name(one, words)} ({words.count(one.rows)})" for one in study.slices if one.small]
    if few:
        out.append(words("card.limits.few", slices=words.listed(few[:FEW_SHOWN])))
    if study.per_class:
        weakest = sorted(study.per_class.items(), key=lambda one: one[1]["f1"].value)[:WEAKEST]
        named = words.listed(
            f"`{in_code(label)}` {words.number(parts['f1'].value)} ({words.interval(parts['f1'])})" for label, parts in weakest
        )
        out.append(words("card.limits.labels", labels=named))
    if any(one.type == "text" for one in manifest.inputs):
        out.append(words("card.limits.long", chars=manifest.limits.max_chars))
    return ["\n".join(f"- {line}" for line in out)]


def _foreign(manifest: Manifest, study: Study, words: Words) -> list[str]:
    return [in_markdown(foreign_said(study, words))]


def _privacy(manifest: Manifest, study: Study, words: Words) -> list[str]:
    lines = [words("card.privacy.golden", rows=GOLDEN_ROWS)] if folder.GOLDEN in manifest.files else []
    if study.training:
        lines.append(words("card.privacy.report", rows=MISTAKES))
    if SPELLING_FILE in manifest.files:
        lines.append(words("card.privacy.spelling"))
    if manifest.runtime == "linear":
        lines.append(words("card.privacy.weights"))
    return ["\n".join(f"- {line}" for line in lines), words("card.privacy.advice")]


def _training(manifest: Manifest, study: Study, words: Words) -> list[str]:
    recipe = manifest.recipe
    rows = [(f"`{in_code(name)}`", f"`{in_code(str(value))}`") for name, value in recipe.parameters.items()]
    facts = [(words("origin.recipe"), f"`{in_code(recipe.name)}`"), (words("origin.seed"), str(recipe.seed))]
    if study.training:
        environment = words.listed(f"{name} {value}" for name, value in study.training.environment.items())
        facts.append((words("origin.seconds"), words("origin.seconds value", seconds=words.number(study.training.seconds, 1))))
        facts.append((words("origin.environment"), environment))
    tables = [_table([words("origin.parameters"), words("card.value")], [*facts, *rows])]
    return tables if study.training else [*tables, words("card.training.unknown")]


def _version(manifest: Manifest, study: Study, words: Words) -> list[str]:
    named = in_code(manifest.name)
    said = words("card.version.text", version=manifest.version, name=named, short=manifest.version[:12])
    files = [(f"`{in_code(name)}`", f"`{file.sha256}`") for name, file in manifest.files.items()]
    return [said, _table([words("card.file"), "SHA-256"], files)]


def _written(figure: Figure, words: Words) -> tuple[str, str, str]:
    return words.number(figure.value), words.number(figure.low), words.number(figure.high)


def _first(names: Sequence[str], words: Words) -> str:
    more = [words("card.what.more", count=len(names) - LABELS)] if len(names) > LABELS else []
    return words.listed([*names[:LABELS], *more])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows))
