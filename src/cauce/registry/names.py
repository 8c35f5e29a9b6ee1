"""Names of models and of their pointers, and how a version of one is written: `name`, `name@alias`, `name@<version prefix>`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from cauce.errors import NameInvalid

CHAMPION = "champion"  # the pointer to the version that serves
LONGEST = 100
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PREFIX = re.compile(r"[0-9a-f]{4,64}")
TAKEN = ("echo",)  # what `cauce.load` knows by itself


@dataclass(frozen=True, slots=True)
class Reference:
    """A model of the registry: its name, and an alias or the beginning of a version."""

    name: str
    which: str = CHAMPION

    @property
    def is_prefix(self) -> bool:
        """True where `which` is the beginning of a version."""
        return PREFIX.fullmatch(self.which) is not None

    def __str__(self) -> str:
        return f"{self.name}@{self.which}"


def parse(text: str) -> Reference:
    """Read `name`, `name@alias` or `name@<version prefix>`.

    Raises:
        NameInvalid: it is none of these.

    """
    name, at, which = text.partition("@")
    check_name(name)
    if not at:
        return Reference(name)
    if not PREFIX.fullmatch(which):
        check_alias(which)
    return Reference(name, which)


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a model.

    Raises:
        NameInvalid

    """
    _check(name, "a model's name")
    if name in TAKEN:
        raise NameInvalid(f'"{name}" is the model that ships with Cauce', hint="choose another name")


def check_alias(alias: str) -> None:
    """Refuse what cannot be an alias: a name that reads as the beginning of a version is none.

    Raises:
        NameInvalid

    """
    _check(alias, "an alias")
    if re.fullmatch(r"[0-9a-f]+", alias):
        raise NameInvalid(
            f'"{alias}" could be the beginning of a version',
            hint="a version has 4 hexadecimal digits or more; an alias needs another letter",
        )


def _check(name: str, what: str) -> None:
    if len(name) > LONGEST:
        raise NameInvalid(f"{what} has {len(name)} characters: {name[:20]!r}…", hint=f"at most {LONGEST} are allowed")
    if not NAME.fullmatch(name):
        hint = "letters a-z, digits, `-`, `_` and `.` are allowed, a letter or digit first"
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9._]+", "-", plain).strip("-._")
        raise NameInvalid(f"{name!r} cannot be {what}", hint=f'{hint}; for example "{plain}"' if plain else hint)
