"""The registry's tables, as steps from each schema to the next."""

from __future__ import annotations

from typing import Final

from cauce.store.database import Steps

STEPS: Final[Steps] = (
    (
        # A version is content: however many names it has, it has one folder, and one verdict.
        """CREATE TABLE version (
            version TEXT PRIMARY KEY,
            pruned TEXT                     -- when its folder was removed
        )""",
        """CREATE TABLE registration (
            name TEXT NOT NULL,
            version TEXT NOT NULL REFERENCES version,
            time TEXT NOT NULL,
            actor TEXT NOT NULL,
            source TEXT NOT NULL,           -- the folder that it was copied from
            PRIMARY KEY (name, version)
        )""",
        # Where a pointer stands is its latest move: pointer and history cannot disagree.
        """CREATE TABLE move (
            name TEXT NOT NULL,
            alias TEXT NOT NULL,
            generation INTEGER NOT NULL CHECK (generation > 0),
            version TEXT,                   -- null: the alias was removed
            action TEXT NOT NULL,
            actor TEXT NOT NULL,
            reason TEXT NOT NULL,
            time TEXT NOT NULL,
            PRIMARY KEY (name, alias, generation),
            FOREIGN KEY (name, version) REFERENCES registration
        )""",
        # Every pointer has one first move: its names are found without reading the history.
        "CREATE INDEX first_move ON move (name, alias) WHERE generation = 1",
        # The latest verdict counts.
        """CREATE TABLE verdict (
            number INTEGER PRIMARY KEY,
            version TEXT NOT NULL REFERENCES version,
            quarantined INTEGER NOT NULL,
            actor TEXT NOT NULL,
            reason TEXT NOT NULL,
            time TEXT NOT NULL
        )""",
        "CREATE INDEX verdict_of_version ON verdict (version, number)",
    ),
)
