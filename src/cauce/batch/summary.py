"""The manifest of a job: what was read, what was written, and that nothing is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from cauce.batch.commit import MANIFEST, Store, as_bytes, part_name, put, read_json, record_name
from cauce.batch.plan import Plan
from cauce.errors import Incomplete, UnreadableData

SHOWN = 5


@dataclass(frozen=True)
class Summary:
    """What became of a job.

    Attributes:
        manifest: as it was written; None while fragments of other shards are missing.
        missing: the fragments that are not done.
        notes: what was found out, in words.

    """

    manifest: dict[str, Any] | None
    missing: tuple[int, ...]
    notes: tuple[str, ...]


def summarize(store: Store, plan: Plan, *, must: bool) -> Summary:
    """Add up the records, check them, and write the manifest if it is not there.

    Raises:
        Incomplete: fragments are missing, and the job `must` be done.
        UnreadableData: rows were lost, or a part is gone.

    """
    there = set(store.names("")) & {part_name(n, plan.options.format) for n in range(len(plan.fragments))}
    records = [read_json(store, record_name(n)) for n in range(len(plan.fragments))]
    missing = tuple(n for n, record in enumerate(records) if record is None)
    if missing:
        if must:
            shards = sorted({n % plan.shards + 1 for n in missing})
            again = ", ".join(f"--shard {n}/{plan.shards}" for n in shards[:SHOWN]) if plan.shards > 1 else "the same command"
            raise Incomplete(f"{len(missing)} of {len(records)} fragments are not done", hint=f"run {again}, then --finish")
        return Summary(None, missing, plan.notes)
    done = [record for record in records if record is not None]
    known = read_json(store, MANIFEST)
    if known is None:
        known = _manifest(plan, done)
        lost = [record["part"] for record in done if record["part"] not in there]
        if lost:
            hint = "put it back, or write the job into a new folder"
            raise UnreadableData(f"{len(lost)} part(s) are gone: {', '.join(lost[:SHOWN])}", hint=hint)
        put(store, MANIFEST, as_bytes(known), "manifest")
    return Summary(known, (), plan.notes)


def _manifest(plan: Plan, records: list[dict[str, Any]]) -> dict[str, Any]:
    rows: Counter[str] = Counter()
    dead: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    of_input: Counter[int] = Counter()
    for record, fragment in zip(records, plan.fragments, strict=True):
        rows.update(record["rows"])
        dead.update(record["dead_letters"])
        labels.update(record["labels"])
        of_input[fragment.input] += record["rows"]["read"]
    if rows["in"] != rows["out"] + rows["unselected"] + dead.total() or rows["read"] != plan.rows:
        raise UnreadableData(
            f"the rows do not add up: {dict(rows)}, {dead.total()} dead letters, {plan.rows} planned",
            hint="write the job into a new folder, and report it",
        )
    models = {record["model"]["version"] + record["model"]["variant"]: record["model"] for record in records}
    seconds = sum(record["seconds"] for record in records)
    return {
        "format": 1,
        "models": list(models.values()),
        "inputs": [
            {"name": one.name, "bytes": one.bytes, "sha256": one.sha256, "rows": of_input[place]}
            for place, one in enumerate(plan.inputs)
        ],
        "options": asdict(plan.options),
        "rows": {**{name: rows[name] for name in ("read", "in", "out", "unselected")}, "dead_letters": dead.total()},
        "dead_letters": dict(sorted(dead.items())),
        "labels": dict(sorted(labels.items())),
        "parts": [{"name": record["part"], "rows": record["rows"]["out"], "bytes": record["bytes"]} for record in records],
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows["read"] / seconds) if seconds else 0,
        "notes": list(plan.notes),
        "cauce": version("cauce"),
    }
