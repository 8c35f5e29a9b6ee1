"""What the figures say, in sentences: the report and the card share them. All are plain text, not yet escaped."""

from __future__ import annotations

from collections.abc import Callable

from cauce.evaluation.metrics import Figure
from cauce.evaluation.slices import Slice
from cauce.evaluation.study import Study
from cauce.evaluation.words import Words
from cauce.model.manifest import Manifest

FALLS = 0.1  # of a score, from which it is said to fall


def headline(manifest: Manifest, study: Study, words: Words) -> str:
    """The sentence that says most."""
    figure, write = _plain(study, words)
    values = {"value": write(figure.value), "low": write(figure.low), "high": write(figure.high)}
    return words(f"headline.{manifest.task}", things=things(manifest, words), **values)


def usual(manifest: Manifest, study: Study, words: Words) -> str:
    """What the baseline would reach."""
    _, write = _plain(study, words)
    name = "mae" if manifest.task == "regression" else "accuracy"
    none = ".none" if manifest.task == "multilabel" and not study.usual else ""
    said = words.number(float(study.usual)) if manifest.task == "regression" else study.usual
    return words(f"usual.{manifest.task}{none}", usual=said, value=write(study.baseline[name].value))


def verdict(study: Study, words: Words) -> str:
    """Whether the model beats the baseline."""
    ours, theirs = study.metrics[study.headline], study.baseline[study.headline]
    key = "verdict.better" if study.beats_baseline else "verdict.not"
    values = [f"{words.number(one.value)} [{words.interval(one)}]" for one in (ours, theirs)]
    return words(key, metric=words.named("short", study.headline), ours=values[0], theirs=values[1])


def measured(manifest: Manifest, study: Study, words: Words) -> str:
    """On which rows."""
    key = study.measured_on if study.measured_on in ("test", "dev") else "file"
    said = words(f"measured.{key}", rows=study.rows, things=things(manifest, words), file=study.measured_on)
    return f"{said} {words('measured.errors', errors=study.errors)}" if study.errors else said


def things(manifest: Manifest, words: Words) -> str:
    """What a row is called: a text, or a case where there is none."""
    return words("texts" if any(one.type == "text" for one in manifest.inputs) else "cases")


def part_name(one: Slice, words: Words) -> str:
    """A slice as it stands in a table of its kind."""
    if one.kind == "language":
        return words.named("language", one.name)
    first, _, last = one.name.partition("/" if one.kind == "time" else "-")
    return first if first == last or not last else f"{first} – {last}"


def slice_name(one: Slice, words: Words) -> str:
    """A slice as it stands in a sentence."""
    key = f"slice.{one.kind}.{one.name}"
    return words(key) if key in words else words(f"slice.{one.kind}", name=part_name(one, words))


def slice_value(study: Study, figure: Figure, words: Words) -> tuple[str, str]:
    """The figure of a slice, and its interval."""
    if "mae" in study.metrics:
        return words.number(figure.value), words.interval(figure)
    return words.percent(figure.value), f"{words.percent(figure.low)} – {words.percent(figure.high)}"


def foreign_said(study: Study, words: Words) -> str:
    """How the model answers in languages that it does not know."""
    found = study.foreign
    if found is None:
        return words("foreign.none")
    said = words(
        "foreign.said",
        texts=found.texts,
        languages=words.listed(words.named("language", code) for code in found.languages),
        label=found.label,
        share=words.percent(found.share),
        score=words.number(found.score, 2),
        own=words.number(found.own, 2),
    )
    return f"{said} {words('foreign.low' if found.score < found.own - FALLS else 'foreign.high')}"


def _plain(study: Study, words: Words) -> tuple[Figure, Callable[[float], str]]:
    """The figure of the headline and how it is written: right of 100, or how far off."""
    if "mae" in study.metrics:
        return study.metrics["mae"], words.number
    return study.metrics["accuracy"], lambda share: words.number(100 * share, 0)
