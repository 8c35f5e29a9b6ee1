"""The sections of the report, in their order: each gives its name and its HTML, or nothing where the task has none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cauce.evaluation import charts
from cauce.evaluation.markup import escaped, isolated
from cauce.evaluation.metrics import PER_CLASS
from cauce.evaluation.sentences import foreign_said, part_name, slice_name, slice_value
from cauce.evaluation.slices import LEAST_ROWS
from cauce.evaluation.study import Mistake, Rival, Study
from cauce.evaluation.words import Words
from cauce.model.manifest import Manifest

MATRIX, MAP = 12, 200  # labels up to which a confusion is a table, and a heat map
TALL = 5  # labels from which the heads of the table stand upright
MOST_CONFUSED, MOST_LABELS, MOST_NOTES = 15, 300, 30  # that are listed
COUNTED = 40  # labels whose rows in training are listed
KINDS = ("language", "length", "time")

Section = tuple[str, str]  # its name, and its content


def _confusion(manifest: Manifest, study: Study, words: Words) -> Iterable[Section]:
    if study.confusion is None:
        return
    labels = manifest.labels
    content = f"<p>{escaped(words('confusion.why'))}</p>"
    if len(labels) <= MATRIX:
        content += _matrix(study.confusion, labels, words)
    elif len(labels) <= MAP:
        drawn = charts.heat_map(study.confusion, labels, words("section.confusion"))
        content += f'<p class="small soft">{escaped(words("confusion.large"))}</p><div class="scroll">{drawn}</div>'
    else:
        content += f"<p>{escaped(words('confusion.too many', labels=len(labels)))}</p>"
    if len(labels) > 2:
        content += _most_confused(study.confusion, labels, words)
    yield "confusion", content


def _matrix(confusion: Sequence[Sequence[int]], labels: Sequence[str], words: Words) -> str:
    silent = any(row[-1] for row in confusion)
    heads = [*map(isolated, labels), *([escaped(words("confusion.none"))] if silent else [])]
    rows = ""
    for k, (label, row) in enumerate(zip(labels, confusion, strict=True)):
        total = sum(row)
        cells = "".join(
            f'<td class="{"hit" if j == k else "miss"}" style="--s:{count / (total or 1):.2f}">{words.count(count)}</td>'
            for j, count in enumerate(row[: len(heads)])
        )
        rows += f'<tr><th scope="row">{isolated(label)}</th>{cells}<td class="n soft">{words.count(total)}</td></tr>'
    tall = " tall" if len(labels) >= TALL else ""
    return (
        f'<div class="scroll"><table class="matrix{tall}"><thead><tr><td>{escaped(words("confusion.true"))} ↓</td>'
        f'<th colspan="{len(heads)}" scope="colgroup">{escaped(words("confusion.said"))} →</th>'
        f'<td class="n soft">{escaped(words("confusion.rows"))}</td></tr><tr><td></td>'
        + "".join(f'<th scope="col">{head}</th>' for head in heads)
        + f"<td></td></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _most_confused(confusion: Sequence[Sequence[int]], labels: Sequence[str], words: Words) -> str:
    pairs = [
        (count, count / sum(row), labels[k], labels[j])
        for k, row in enumerate(confusion)
        for j, count in enumerate(row[: len(labels)])
        if j != k and count
    ]
    pairs.sort(key=lambda pair: (-pair[0], -pair[1]))
    if not pairs:
        return f"<p>{escaped(words('confusion.perfect'))}</p>"
    return _table(
        words("confusion.most"),
        (words("confusion.true"), words("confusion.said"), words("rows"), words("confusion.share")),
        [
            (isolated(true), isolated(said), words.count(count), words.percent(share))
            for count, share, true, said in pairs[:MOST_CONFUSED]
        ],
        numbers=2,
    )


def _numbers(manifest: Manifest, study: Study, words: Words) -> Iterable[Section]:
    if study.grid is None:
        return
    low, high = study.grid.low, study.grid.high
    ticks = [(share, words.number(low + share * (high - low), 2)) for share in (0, 0.5, 1)]
    drawn = charts.grid(study.grid, ticks, words("section.grid"), words("grid.true"), words("grid.said"))
    content = f'<div class="beside"><div><p>{escaped(words("grid.why"))}</p>{drawn}</div>'
    if study.residuals:
        edge = study.residuals[-1][0]
        ends = (words.number(-edge, 2), "0", words.number(edge, 2))
        shape = charts.bars(study.residuals, ends, words("residuals.why"), words("residuals.axis"))
        content += f"<div><p>{escaped(words('residuals.why'))}</p>{shape}</div>"
    yield "grid", content + "</div>"


def _reliability(manifest: Manifest, study: Study, words: Words) -> Iterable[Section]:
    if not study.reliability:
        return
    across, up = words("reliability.score"), words("reliability.right")
    text = f"<p>{escaped(words('reliability.why'))}</p>"
    if "ece" in study.metrics:
        ece = study.metrics["ece"]
        low, high = (words.number(100 * end, 1) for end in (ece.low, ece.high))
        text += f"<p>{escaped(words('reliability.ece', ece=words.number(100 * ece.value, 1), interval=f'{low} – {high}'))}</p>"
    rows = [(words.percent(one.score), words.percent(one.right), words.count(one.rows)) for one in study.reliability]
    table = _table("", (across, up, words("reliability.rows")), rows, numbers=3)
    drawn = charts.reliability(study.reliability, words("section.reliability"), across, up)
    numbers = f"<details><summary>{escaped(words('numbers'))}</summary>{table}</details>"
    yield "reliability", f'<div class="beside"><div>{drawn}</div><div>{text}{numbers}</div></div>'


def _labels(manifest: Manifest, study: Study, words: Words) -> Iterable[Section]:
    if not study.per_class:
        return
    shown = sorted(study.per_class, key=lambda label: -study.counts[label])[:MOST_LABELS]
    kept = set(shown)
    mark = study.metrics["macro_f1"].value
    rows = []
    for k, (label, figures) in enumerate(study.per_class.items(), start=1):
        if label not in kept:
            continue
        cells = [words.number(figures[name].value) for name in PER_CLASS]
        f1 = figures["f1"]
        drawn = charts.whisker(f1, 0, 1, mark, f"{label}: F1 {words.number(f1.value)} [{words.interval(f1)}]")
        number = f'<span class="soft">{k}</span> ' if len(manifest.labels) > MATRIX else ""
        few = f' <span class="tag few">{escaped(words("few"))}</span>' if study.counts[label] < LEAST_ROWS else ""
        rows.append((number + isolated(label) + few, words.count(study.counts[label]), *cells, words.interval(f1), drawn))
    heads = (words("label"), words("rows"), *(words(name) for name in PER_CLASS), f"{words('f1')}, {words('95 %')}", "")
    more = words("labels.shown", shown=len(shown), labels=len(study.per_class)) if len(shown) < len(study.per_class) else ""
    note = f'<p class="small soft">{escaped(words("few.note", rows=LEAST_ROWS))} {escaped(more)}</p>'
    yield "labels", f"<p>{escaped(words('labels.why'))}</p>{_table('', heads, rows, numbers=5)}{note}"


def _slices(manifest: Manifest, study: Study, words: Words) -> Iterable[Section]:
    if not study.slices:
        yield "slices", f"<p>{escaped(words('slices.none'))}</p>"
        return
    regression = "mae" in study.metrics
    whole = study.metrics["mae" if regression else "accuracy"]
    end = max(1e-9, *(one.figure.high for one in study.slices)) if regression else 1.0
    why = words("slices.why.regression" if regression else "slices.why", value=slice_value(study, whole, words)[0])
    content = f"<p>{escaped(why)}</p>"
    worst = words.listed(f"{slice_name(one, words)} ({slice_value(study, one.figure, words)[0]})" for one in study.worst)
    kind = "warn" if worst else ""
    content += f'<p class="{kind}">{escaped(words("slices.worst", worst=worst) if worst else words("slices.even"))}</p>'
    for each in KINDS:
        rows = []
        for one in (one for one in study.slices if one.kind == each):
            name, (value, interval) = part_name(one, words), slice_value(study, one.figure, words)
            few = f' <span class="tag few">{escaped(words("few"))}</span>' if one.small else ""
            drawn = charts.whisker(one.figure, 0, end, whole.value, f"{name}: {value} [{interval}]")
            rows.append((escaped(name) + few, words.count(one.rows), value, interval, drawn))
        if rows:
            figure = words("slices.error" if regression else "slices.right")
            content += _table(words(f"slices.{each}"), ("", words("rows"), figure, words("95 %"), ""), rows, numbers=3)
    yield "slices", content + f'<p class="small soft">{escaped(words("few.note", rows=LEAST_ROWS))}</p>'


def _mistakes(manifest: Manifest, study: Study, words: Words) -> Iterable[Section]:
    if not study.mistakes:
        yield "mistakes", f"<p>{escaped(words('mistakes.none'))}</p>"
        return
    regression = manifest.task == "regression"
    is_text = any(one.type == "text" for one in manifest.inputs)
    heads = (
        words("mistakes.text" if is_text else "mistakes.case"),
        words("mistakes.true"),
        words("mistakes.given"),
        words("mistakes.off" if regression else "mistakes.score"),
    )

    def row(one: Mistake) -> tuple[str, ...]:
        sides = [words.number(float(side)) if regression else side for side in (one.true, one.given)]
        names = [isolated(side) if side else f"<i>{escaped(words('mistakes.nothing'))}</i>" for side in sides]
        text = f'<div class="text" dir="auto">{escaped(one.text)}</div>'
        return text, *names, words.number(one.score, 2)

    rows = [row(one) for one in study.mistakes]
    yield "mistakes", f"<p>{escaped(words('mistakes.why'))}</p>{_table('', heads, rows, numbers=1)}"


def _foreign(manifest: Manifest, study: Study, words: Words) -> Iterable[Section]:
    yield "foreign", f"<p>{isolated(foreign_said(study, words))}</p>"


def _data(manifest: Manifest, study: Study, words: Words) -> Iterable[Section]:
    if study.training is None:
        yield "data", f"<p>{escaped(words('data.unknown'))}</p>"
        return
    clean = all(one.severity == "info" for one in study.training.findings)
    content = f"<p>{escaped(words('data.none'))}</p>" if clean else ""
    rows = []
    for one in study.training.findings:
        said = words.named("finding", one.code, count=one.count)
        weight = f'<span class="tag {escaped(one.severity)}">{escaped(words.named("severity", one.severity))}</span>'
        rows.append((escaped(said), weight, f'<span lang="en" class="small">{isolated(one.what)}</span>'))
    heads = (words("data.finding"), words("data.severity"), words("data.detail"))
    yield "data", content + (_table("", heads, rows, numbers=0) if rows else "")


def _comparison(manifest: Manifest, study: Study, words: Words) -> Iterable[Section]:
    baseline = words("the mean" if manifest.task == "regression" else "the baseline")
    sides = [(words("the model"), study.metrics), (baseline, study.baseline)]
    if study.rival:
        sides.append((f"{study.rival.name}@{study.rival.version[:7]}", study.rival.metrics))
    rows = []
    for name in study.metrics:
        cells = [
            f'{words.number(one[name].value)} <span class="soft small">{words.interval(one[name])}</span>'
            if name in one
            else "–"
            for _, one in sides
        ]
        rows.append((escaped(words.named("metric", name)), *cells))
    heads = (f"{words('figure')}, {words('95 %')}", *(name for name, _ in sides))
    yield (
        "comparison",
        (_rival(study.rival, words, "mae" in study.metrics) if study.rival else "")
        + _table("", heads, rows, numbers=len(sides)),
    )


def _rival(found: Rival, words: Words, regression: bool) -> str:
    """In words, which of the two is better."""
    gap = found.difference
    scale, digits = (1.0, 3) if regression else (100.0, 1)
    better, worse = (gap.high < 0, gap.low > 0) if regression else (gap.low > 0, gap.high < 0)
    told = better or worse
    size, *ends = (scale * (abs(value) if told else value) for value in (gap.value, gap.low, gap.high))
    low, high = (words.number(end, digits) for end in sorted(ends))
    shown = words.number(size, digits)
    key = ("nearer" if better else "farther") if regression else ("more" if better else "less")
    said = words(
        f"comparison.{key if told else 'even'}",
        difference=shown if regression else words("comparison.points", value=shown),
        low=low,
        high=high,
    )
    rows = words(
        "comparison.only.regression" if regression else "comparison.only", this=found.only_this, other=found.only_other
    )
    head = words("comparison.rival", name=f"{found.name}@{found.version[:12]}")
    return f'<h3>{isolated(head)}</h3><p class="verdict">{escaped(said)}</p><p>{escaped(rows)}</p>'


def _origin(manifest: Manifest, study: Study, words: Words) -> Iterable[Section]:
    facts = [
        ("model", isolated(manifest.name)),
        ("version", f"<code>{manifest.version}</code>"),
        ("variant", escaped(manifest.variant)),
        ("recipe", f"{escaped(manifest.recipe.name)} · {escaped(words('origin.seed'))} {manifest.recipe.seed}"),
        (
            "parameters",
            "<br>".join(
                f"<code>{escaped(name)} = {escaped(str(value))}</code>" for name, value in manifest.recipe.parameters.items()
            ),
        ),
        ("data hash", f"<code>{escaped(manifest.data.sha256)}</code>"),
        ("files", "<br>".join(f"<code>{escaped(name)} {file.sha256}</code>" for name, file in manifest.files.items())),
    ]
    content = ""
    if study.training:
        training = study.training
        parts = words.listed(f"{words.named('part', part)} {words.count(rows)}" for part, rows in training.parts.items())
        counts = sorted(training.counts.items(), key=lambda one: -one[1])
        listed = words.listed(f"{isolated(label)} {words.count(rows)}" for label, rows in counts[:COUNTED])
        environment = words.listed(f"{name} {value}" for name, value in training.environment.items())
        facts += [
            ("data", f"{isolated(training.source)} ({escaped(parts)})"),
            *([("labels", listed + (" …" if len(counts) > COUNTED else ""))] if counts else []),
            ("seconds", escaped(words("origin.seconds value", seconds=words.number(training.seconds, 1)))),
            ("environment", escaped(environment)),
        ]
        if training.notes:
            notes = "".join(f"<li>{isolated(note)}</li>" for note in training.notes[:MOST_NOTES])
            content = f'<h3>{escaped(words("origin.notes"))}</h3><ul lang="en" class="small">{notes}</ul>'
    terms = "".join(f"<dt>{escaped(words(f'origin.{name}'))}</dt><dd>{value}</dd>" for name, value in facts)
    yield "origin", f"<dl>{terms}</dl>{content}<p class='small soft'>{escaped(words('origin.verify'))}</p>"


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int) -> str:
    """A table whose first cell of a row is its head; cells are HTML, heads are text.

    Args:
        numbers: how many columns are set to the right, counted back from the last; a last column without a head is a drawing.

    """
    last = len(heads) - (1 if not heads[-1] else 0)

    def kind(k: int) -> str:
        if k >= last:
            return ' class="whiskers"'
        return ' class="n"' if k >= last - numbers else ' class="name"' if not k else ""

    top = "".join(
        f'<th scope="col"{kind(k)}>{isolated(head)}</th>' if head else f"<td{kind(k)}></td>" for k, head in enumerate(heads)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row"{kind(k)}>{cell}</th>' if not k else f"<td{kind(k)}>{cell}</td>" for k, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    title = f"<caption>{escaped(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{title}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


SECTIONS = (
    _confusion, _numbers, _reliability, _labels, _slices, _mistakes, _foreign, _data, _comparison, _origin,
)  # fmt: skip
