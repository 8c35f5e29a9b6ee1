"""`sql:`: a table with one row for each thing that messages are about, in SQLite or PostgreSQL.

A later revision replaces the row, an earlier one that comes late does not. A deletion empties it and leaves its revision,
so that an older message which comes after it does not bring the text back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from cauce.data.json_text import as_json, objects
from cauce.errors import InputError
from cauce.stream.contract import AtOnce
from cauce.stream.results import Results
from cauce.stream.schemes import Opening, Place, Scheme
from cauce.stream.sinks.database import Database, making

TABLE = "scored"
LONGEST = 63  # letters of a table's name: PostgreSQL cuts longer ones
DELETE: sa.ColumnElement[str] = sa.literal_column("'delete'")
Put = Callable[[sa.Connection, pa.RecordBatch], object]


class Sql(AtOnce):
    """Writes each batch in one transaction. The table is made where it is not there.

    Raises:
        InputError: there is a table of this name that has other columns.
        AccessDenied, BrokerGone, CannotWrite, StorageFull

    """

    def __init__(self, database: Database, name: str) -> None:
        self._database, table = database, _table(name)
        self._names = [one.name for one in table.c]
        self._put = {"sqlite": _into_sqlite, "postgresql": _into_postgresql}[database.kind](table)
        database(lambda connection: _make(connection, table))

    def write(self, results: Results) -> None:
        """Insert, or replace what is older."""
        if len(results):
            rows = _rows(results, self._names)
            self._database(lambda connection: self._put(connection, rows))

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def _table(name: str) -> sa.Table:
    schema, _, own = name.rpartition(".")
    if not 0 < len(own) <= LONGEST:
        raise InputError(f'table="{name}" is no name of a table', hint="write it as table=scored, or table=schema.scored")
    return sa.Table(
        own,
        sa.MetaData(),
        sa.Column("about", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("id", sa.Text),
        sa.Column("rev", sa.BigInteger, nullable=False),
        sa.Column("op", sa.Text, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("created_at", sa.Text),
        sa.Column("label", sa.Text),
        sa.Column("labels", sa.JSON),
        sa.Column("score", sa.REAL),
        sa.Column("scores", sa.JSON),
        sa.Column("truncated", sa.Boolean),
        sa.Column("model", sa.Text),
        sa.Column("version", sa.Text),
        sa.Column("variant", sa.Text),
        sa.Column("other", sa.JSON),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        schema=schema or None,
    )


def _make(connection: sa.Connection, table: sa.Table) -> None:
    """Make the table, or see whether the one that is there will do."""
    there = making(connection)
    if not there.has_table(table.name, table.schema):
        connection.execute(CreateTable(table, if_not_exists=True))
        return
    found = {one["name"] for one in there.get_columns(table.name, table.schema)}
    hint = "name another table: it is made with what it needs"
    if missing := [one.name for one in table.c if one.name not in found]:
        raise InputError(f'the table "{table.name}" has no {", ".join(missing)}', hint=hint)
    if there.get_pk_constraint(table.name, table.schema)["constrained_columns"] != ["about"]:
        raise InputError(f'the primary key of the table "{table.name}" is not about', hint=hint)


def _into_sqlite(table: sa.Table) -> Put:
    # As a string, row by row: twice as fast as SQLAlchemy's own way with each value.
    statement = str(_newest(sqlite.insert(table), table).compile(dialect=sqlite.dialect()))

    def put(connection: sa.Connection, rows: pa.RecordBatch) -> None:
        values = zip(*(column.to_pylist() for column in rows.columns), strict=True)
        connection.exec_driver_sql(statement, list(values))

    return put


def _into_postgresql(table: sa.Table) -> Put:
    """All rows are one parameter, a JSON text: nothing else needs so little of the worker's own time."""
    given = sa.cast(sa.bindparam("rows", type_=sa.Text), sa.JSON)
    columns = [sa.column(one.name, sa.Text() if isinstance(one.type, sa.JSON) else one.type) for one in table.c]
    new = sa.func.json_to_recordset(given).table_valued(*columns, name="new").render_derived(with_types=True)
    chosen = sa.select(*(sa.cast(new.c[one.name], one.type) for one in table.c))
    statement = _newest(postgresql.insert(table).from_select([one.name for one in table.c], chosen), table)

    def put(connection: sa.Connection, rows: pa.RecordBatch) -> None:
        connection.execute(statement, {"rows": f"[{','.join(objects(rows).to_pylist())}]"})

    return put


def _newest(insert: Any, table: sa.Table) -> sa.Insert:
    """Replace a row that is older, or whose answer is another version's. The same result again changes nothing."""
    new, old = insert.excluded, table.c
    mine, its = sa.tuple_(new.rev, new.op == DELETE), sa.tuple_(old.rev, old.op == DELETE)
    statement: sa.Insert = insert.on_conflict_do_update(
        index_elements=[old.about],
        set_={one.name: new[one.name] for one in old if one.name != "about"},
        where=sa.or_(mine > its, sa.and_(mine == its, new.key != old.key)),
    )
    return statement


def _rows(results: Results, names: Sequence[str]) -> pa.RecordBatch:
    """The last of each thing, as columns of these names."""
    at = pa.array(_last(results), pa.int64())
    found, gone = results.table.take(at), pa.array(results.messages.deletes).take(at)
    columns = {
        **dict(zip(found.schema.names, found.columns, strict=True)),
        "about": results.abouts.take(at),
        "op": pc.fill_null(found["op"], _text("upsert")),
        **{name: _without_nul(found[name]) for name in ("id", "created_at")},
        # What was deleted is nobody's business, even where its deletion repeats it.
        "text": _without_nul(pc.if_else(gone, _text(None), found["text"])),
        "other": pc.if_else(gone, _text(None), found["other"]),
        "labels": as_json(found["labels"]),
        "score": found["score"].cast(pa.string()).cast(pa.float64()),  # 0.97, not 0.9700000286
        "scores": _object(found["scores"]),
        "scored_at": pa.repeat(_text(datetime.now(UTC).isoformat(" ", "milliseconds")), len(at)),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in names], list(names))


def _last(results: Results) -> npt.NDArray[np.intp]:
    """The row with the last word on each thing, in one order for all workers: so none waits for another in a circle."""
    abouts, messages = np.asarray(results.abouts).astype("S32"), results.messages
    order = np.lexsort((messages.deletes, messages.revs, abouts))
    last: npt.NDArray[np.intp] = order[np.append(abouts[order][1:] != abouts[order][:-1], True)]
    return last


def _object(maps: pa.MapArray) -> pa.StringArray:
    """Each map as a JSON object."""
    members = pc.binary_join_element_wise(as_json(maps.keys), as_json(maps.items), _text(": "))
    lists = pa.ListArray.from_arrays(maps.offsets, members, mask=maps.is_null())
    return pc.binary_join_element_wise(_text("{"), pc.binary_join(lists, _text(", ")), _text("}"), _text(""))


def _without_nul(texts: pa.StringArray) -> pa.StringArray:
    """PostgreSQL knows no NUL."""
    return pc.replace_substring(texts, "\0", "\N{REPLACEMENT CHARACTER}")


def _text(value: str | None) -> pa.Scalar:
    """With its type: where pyarrow has to guess, it looks for a module that is not there, half a millisecond each time."""
    return pa.scalar(value, pa.string())


def _open(place: Place, opening: Opening) -> Sql:
    options = dict(place.options)
    name = options.pop("table", TABLE)
    database = Database(place.url.path, options, opening.patience)
    try:
        return Sql(database, name)
    except BaseException:
        database.close()
        raise


SCHEME = Scheme(
    "sql:sqlite:///file.db?table=scored or sql:postgresql://user@host/database?table=scored",
    writes=("table", "sslmode", "sslrootcert"),
    sink=_open,
)
