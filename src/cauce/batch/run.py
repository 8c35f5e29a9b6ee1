"""A job from its files to its parts: read, scored and written side by side; what is done is never done again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from cauce.batch import commit
from cauce.batch.ahead import ahead
from cauce.batch.answering import Answered, Answering, Counts
from cauce.batch.commit import Store, as_bytes, dead_name, part_name, put, read_json, record_name
from cauce.batch.filters import Condition
from cauce.batch.inputs import find
from cauce.batch.options import Options
from cauce.batch.place import place
from cauce.batch.plain import plain
from cauce.batch.plan import Plan, check_unchanged, forget, identity, make, saved
from cauce.batch.readers import Letter, Window, open_reader
from cauce.batch.summary import Summary, summarize
from cauce.batch.write import Part, open_part
from cauce.data.files import is_url
from cauce.errors import FileChanged, InputError, Stopped, StorageFull, TooManyDeadLetters, writing
from cauce.faults import fault
from cauce.model.model import Model

DEPTH = 2  # windows that wait between two threads
EARLY = 10_000  # rows, before which a job is not stopped for its dead letters


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done, total: rows of its share of the job.
        scored: rows of this run, in `seconds`.
        dead: dead letters so far, of earlier runs too.

    """

    done: int
    total: int
    scored: int
    dead: int
    seconds: float


def run(
    model: Model,
    sources: Sequence[str],
    out: str,
    options: Options = Options(),
    *,
    max_error_rate: float = 0.01,
    shard: tuple[int, int] | None = None,
    append: bool = False,
    mixed_versions: bool = False,
    progress: Callable[[Progress], None] = lambda progress: None,
    stop: threading.Event | None = None,
) -> Summary:
    """Score every row of some files into a folder. The same call again goes on where a run was stopped or killed.

    Args:
        sources: paths, folders, globs or URLs.
        out: a folder or URL of this job alone.
        max_error_rate: share of the rows that may be dead letters.
        shard: (i, n): of n machines that share the job, this is the i-th, from 1.
        append: add files that the job in the folder does not know.
        mixed_versions: with `append`, answer the new files with another version of the model than those before.
        stop: when it is set, the run ends after the fragment that it is in.

    Raises:
        InputError: of the files, the options or the folder.
        TooManyDeadLetters: more than `max_error_rate`.
        Unavailable: the folder is in use or the disk is full; what is done is kept, and the same call goes on.
        Stopped: `stop` was set.

    """
    number, shards = shard or (1, 1)
    if not 1 <= number <= shards:
        raise InputError(f"there is no shard {number} of {shards}", hint="the first is 1/n, the last n/n")
    if not 0 <= max_error_rate <= 1:
        raise InputError(f"the error rate {max_error_rate} is no share", hint="0.01 is 1 %")
    store = place(out)
    with store.lock(shard), store.room(f"room-{number}-of-{shards}") as room:
        plan = _planned(store, model, find(sources, out), options, room, shards, append=append, mixed=mixed_versions)
        mine = [n for n in range(len(plan.fragments)) if shard is None or n % shards == number - 1]
        job = _Job(store, plan, model, mine, max_error_rate, progress, stop or threading.Event())
        job.clean(everything=shard is None)
        try:
            job.work(room)
        except StorageFull as full:
            full.hint = "free some space and run the same command again: it goes on where it stopped"
            raise
        return job.finish()


def finish(out: str) -> Summary:
    """Write the manifest of a job whose shards have all ended.

    Raises:
        Incomplete: some have not.
        InputError: there is no job in the folder.

    """
    store = place(out)
    plan = saved(store)
    if plan is None:
        raise InputError(f"{out} holds no job", hint="name the folder that `cauce batch` writes into")
    return summarize(store, plan, must=True)


def _planned(
    store: Store, model: Model, found: Sequence[Any], options: Options, room: Path, shards: int, *, append: bool, mixed: bool
) -> Plan:
    """The job's plan, made and saved where there is none."""
    before = saved(store)
    if before is None:
        plan = make(model, found, options, room, shards=shards)
    else:
        new = check_unchanged(before, model, options, found, shards, append=append, mixed=mixed)
        if not new:
            return before
        plan = make(model, new, options, room, shards=before.shards, before=before)
        store.remove(commit.MANIFEST)
    plan.save(store)
    return plan


class _Job:
    """A plan in its folder, and the fragments of it that this run answers for."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        model: Model,
        mine: list[int],
        max_error_rate: float,
        progress: Callable[[Progress], None],
        stop: threading.Event,
    ) -> None:
        self._store, self._plan, self._model, self._stop = store, plan, model, stop
        self._limit, self._progress = max_error_rate, progress
        there = set(store.names(commit.RECORDS))
        self._mine = mine
        self._todo = [n for n in mine if Path(record_name(n)).name not in there]
        self._answering = Answering(model, plan.options, plan.schema)
        self._total = sum(plan.fragments[n].span.rows for n in mine)
        self._done = self._total - sum(plan.fragments[n].span.rows for n in self._todo)
        self._counts = Counts()
        for n in set(mine) - set(self._todo):
            record = read_json(store, record_name(n)) or {}
            self._counts.read += record["rows"]["read"]
            self._counts.dead.update(record["dead_letters"])

    def clean(self, *, everything: bool) -> None:
        """Delete what a killed run left of fragments that are not done."""
        pending = set(self._todo)
        for folder in ("", commit.STATE, commit.RECORDS, commit.DEAD):
            for name in self._store.names(folder):
                aside = name.startswith(".") and name.endswith(".tmp")
                digits = "".join(char for char in name if char.isdigit())
                ours = digits and int(digits) in pending and folder != commit.STATE
                if (ours and (aside or name.startswith("part-"))) or (aside and everything):
                    self._store.remove("/".join(filter(None, (folder, name))))

    def work(self, room: Path) -> None:
        """Do what is not done yet.

        Raises:
            as `run`.

        """
        start = last = time.perf_counter()
        scored = 0
        current: _Fragment | None = None
        with closing(ahead(self._answered(ahead(self._windows(room), DEPTH)), DEPTH)) as steps:
            try:
                for number, answered in steps:
                    current = current or _Fragment(self._store, self._plan, number, self._answering.schema, self._varied())
                    if answered is not None:
                        current.add(answered)
                        self._counts.add(replace(answered.counts, labels=Counts().labels))
                        self._check_dead(answered.dead)
                        scored += answered.counts.read
                        self._done += answered.counts.read
                    else:
                        now = time.perf_counter()
                        current.commit(identity(self._model), now - last)
                        current, last = None, now
                    seconds = time.perf_counter() - start
                    self._progress(Progress(self._done, self._total, scored, self._counts.lost, seconds))
            finally:
                if current is not None:
                    current.drop()
        if self._done < self._total:
            raise Stopped(
                f"stopped after {self._done} of {self._total} rows",
                hint="run the same command again: it goes on where it stopped",
            )

    def finish(self) -> Summary:
        """The manifest, where no other shard has something left to do."""
        return summarize(self._store, self._plan, must=False)

    def _varied(self) -> frozenset[str]:
        """Columns of which a dictionary would only cost time: the model's texts."""
        texts = {one.name for one in self._model.manifest.inputs if one.type == "text"}
        return frozenset({self._plan.options.text} if self._plan.options.text else texts)

    def _windows(self, room: Path) -> Generator[tuple[int, Window | None, bool]]:
        """The rows of each fragment, then None; and whether they are text as it was written."""
        opened: tuple[int, Any, Any] | None = None
        options, schema = self._plan.options, self._plan.schema
        where = Condition(options.where).expression(schema) if options.where else None
        for number in self._todo:
            fragment = self._plan.fragments[number]
            source = self._plan.inputs[fragment.input]
            if opened is None or opened[0] != fragment.input:
                if opened is not None:
                    forget(opened[2], self._plan.inputs[opened[0]])
                ready = plain(source, room, fragment.input)
                if is_url(source.name) and ready.source.bytes != source.bytes:
                    raise FileChanged(f"{source.name} is not as it was when this job began", hint="put the file back")
                opened = fragment.input, open_reader(ready.path, source.name), ready
            written = ready.path.suffix.lower() in (".csv", ".tsv")
            rows = 0
            for window in opened[1].windows(fragment.span, schema.names, where):
                rows += len(window.rows) + len(window.dead) + window.skipped
                yield number, replace(window, rows=_cast(window.rows, schema)), written
            if rows != fragment.span.rows:
                raise FileChanged(
                    f"{source.name} has {rows} rows where there were {fragment.span.rows} when this job began",
                    hint="put the file back, or write the job into a new folder",
                )
            yield number, None, written
        if opened is not None:
            forget(opened[2], self._plan.inputs[opened[0]])

    def _answered(self, windows: Generator[tuple[int, Window | None, bool]]) -> Generator[tuple[int, Answered | None]]:
        """What is written of each window; it ends after a fragment once `stop` is set."""
        with closing(windows):
            for number, window, written in windows:
                yield number, None if window is None else self._answering(window, written=written)
                if window is None and self._stop.is_set():
                    return

    def _check_dead(self, latest: tuple[Letter, ...]) -> None:
        """Stop once too many rows are dead letters.

        Raises:
            TooManyDeadLetters

        """
        counts = self._counts
        if counts.lost > self._limit * max(counts.read, min(EARLY, self._total)):
            codes = ", ".join(f"{code} ({count})" for code, count in counts.dead.most_common(3))
            example = f"; the last one: {latest[-1].reason}, row {latest[-1].row}" if latest else ""
            raise TooManyDeadLetters(
                f"{counts.lost} of the first {counts.read} rows could not be answered: {codes}{example}",
                hint=f"mend the rows, or allow more than {self._limit:.1%} with --max-error-rate",
            )


class _Fragment:
    """A fragment that is being written."""

    def __init__(self, store: Store, plan: Plan, number: int, schema: pa.Schema, varied: frozenset[str]) -> None:
        self._store, self._number, self._kind = store, number, plan.options.format
        self._source = plan.inputs[plan.fragments[number].input].name
        self._counts, self._letters = Counts(), 0
        self._part, self._dead = part_name(number, self._kind), dead_name(number)
        with writing(Path(self._part)):
            self._writer: Part = open_part(store.aside(self._part), self._kind, schema, varied=varied)
        fault("part.opened")

    def add(self, answered: Answered) -> None:
        """Write the rows of a window, and its dead letters."""
        self._counts.add(answered.counts)
        with writing(Path(self._part)):
            if len(answered.rows):
                self._writer.write(answered.rows)
            if answered.dead:
                with self._store.aside(self._dead).open("ab" if self._letters else "wb") as file:
                    file.write(b"".join(self._line(letter) for letter in answered.dead))
                self._letters += len(answered.dead)

    def commit(self, model: dict[str, str], seconds: float) -> None:
        """Give the files their names; the record comes last."""
        with writing(Path(self._part)):
            self._writer.close()
        if self._letters:
            self._store.commit(self._dead, "dead")
        self._store.commit(self._part, "part")
        counts = self._counts
        record = {
            "fragment": self._number,
            "part": self._part,
            "bytes": self._store.size(self._part),
            "rows": {"read": counts.read, "in": counts.taken, "out": counts.out, "unselected": counts.unselected},
            "dead_letters": dict(counts.dead),
            "labels": dict(counts.labels),
            "model": model,
            "seconds": round(seconds, 3),
        }
        put(self._store, record_name(self._number), as_bytes(record), "record")

    def drop(self) -> None:
        """Delete what was written."""
        with suppress(OSError, pa.ArrowException):  # a full disk may be why it is dropped
            self._writer.close()
        self._store.remove(self._part)
        self._store.remove(self._dead)

    def _line(self, letter: Letter) -> bytes:
        line = {} if letter.line is None else {"line": letter.line}
        shown = {
            "file": self._source,
            "row": letter.row,
            **line,
            "code": letter.code,
            "reason": letter.reason,
            "raw": letter.raw,
        }
        return (json.dumps(shown, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def _cast(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return rows if rows.schema == schema else rows.cast(schema)
