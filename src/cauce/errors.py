"""Every error of Cauce: one tree. Exit code and HTTP status live on the class, the hint says what to do.

CauceError                        exit 1  http 500
├── InputError                    exit 2  http 422   the caller can mend it
│   ├── FileMissing                       http 404   no such file
│   ├── ColumnMissing                                a column that is not there; the nearest is named
│   ├── UnreadableData                               no known encoding, a NUL byte, a ragged row, not JSON
│   ├── LineTooLong                       http 413   a line or cell over the limit
│   ├── DataTooLarge                      http 413   a file over the limit, unpacked, or a model too large
│   ├── EmptyData                                    a file without rows
│   ├── TooFewLabels                                 one class only, or a class too small to split
│   ├── UnknownLabel                                 a label that the model was not trained on
│   ├── UnknownName                                  a recipe, variant or option value that does not exist
│   ├── NameInvalid                                  a name with other characters than a name may have
│   ├── WrongRows                                    rows that do not fit the model's inputs
│   ├── NotAnEncoder                                 a network or its folder that cannot be taken in or exported
│   ├── NotComparable                                two models of different tasks, labels or inputs
│   ├── OutputExists                      http 409   what would be written is there already
│   ├── FileChanged                       http 409   a file is not as it was when the work on it began
│   ├── UnknownModel                      http 404   no model or version of that name is served
│   ├── UnknownRoute                      http 404   no such address
│   ├── WrongMethod                       http 405   the address takes another method
│   ├── WrongBody                         http 400   a request that cannot be read: not JSON, not UTF-8, cut off
│   ├── WrongMediaType                    http 415   a body of a kind that the address does not read
│   ├── BodyTooLarge                      http 413   a request over the limit, unpacked
│   ├── HeadTooLarge                      http 431   the headers of a request over the limit
│   ├── TextTooLong                       http 413   a text over the model's limit, where cutting was refused
│   ├── DamagedCheckpoint                            a training that was kept cannot be read again
│   ├── BadCondition                                 a condition on rows that cannot be read
│   ├── TooManyDeadLetters                           more rows than allowed could not be answered
│   ├── Incomplete                        http 409   parts of a job are not done yet
│   ├── CannotWrite                                  the place to write to is read-only or is not a folder
│   ├── Quarantined                       http 409   a version in quarantine may not serve
│   ├── StillServes                       http 409   a version that a pointer names cannot be taken away
│   ├── NoEarlierVersion                  http 409   there is nothing to roll back to
│   ├── UnknownScheme                                an address of a kind that no stream has
│   ├── AccessDenied                      http 403   a broker refuses the password, or what is asked of it
│   └── BadSetting                                   cauce.toml or an environment variable holds a wrong value
├── ModelFolderError              exit 3  http 503   the model folder is wrong
│   ├── NotAModel                                    no cauce.json, or not one of ours
│   ├── NewerFormat                                  written by a later Cauce
│   ├── UnknownTask                                  a task or runtime that this Cauce does not know
│   ├── FileGone                                     a file of the folder is missing
│   ├── Truncated                                    a file is shorter than was written
│   ├── Tampered                                     a file does not match its hash
│   ├── PathEscapes                                  a path that leads out of the folder
│   ├── PickleRefused                                a pickle: loading one runs code
│   ├── GoldenFailed                                 the model does not give the answers it was saved with
│   ├── ParityFailed                                 an exported graph answers something else than its network
│   └── DatabaseDamaged                              a database under home is damaged, or is none
├── Unavailable                   exit 4  http 503   try again later
│   ├── InUse                             http 409   another process works on the same file
│   ├── Overloaded                        http 429   more work is waiting than can be done in time
│   ├── Expired                           http 504   the answer would have come too late
│   ├── NotReady                          http 503   a server that starts, drains, or fails its own test
│   ├── Stopped                                      stopped on the way; the same command goes on from there
│   ├── PointerMoved                      http 409   somebody else moved the pointer first
│   ├── BrokerGone                                   a broker cannot be reached
│   ├── OutOfMemory                       http 507   the memory is not enough
│   └── StorageFull                       http 507   no space left where the output goes
├── MissingExtra                  exit 2  http 501   an optional part is not installed; the pip line is in the hint
└── Interrupted                   exit 130           Ctrl-C; nothing half-written is left
"""

from __future__ import annotations

import difflib
import errno
import importlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


class CauceError(Exception):
    """What happened with which value (`message`), where (`where`), and what to do (`hint`)."""

    code = "error"
    exit_code = 1
    http_status = 500

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message, self.hint, self.where = message, hint, where

    def as_dict(self) -> dict[str, str]:
        """The error as it is shown to a program."""
        known = {"code": self.code, "message": self.message, "where": self.where, "hint": self.hint}
        return {key: value for key, value in known.items() if value}


class InputError(CauceError):
    """The caller can mend it."""

    code, exit_code, http_status = "input", 2, 422


class FileMissing(InputError):
    """No such file."""

    code, http_status = "file_missing", 404


class ColumnMissing(InputError):
    """A column that is not there."""

    code = "column_missing"


class UnreadableData(InputError):
    """A file that is not what its name says, with the first place where it goes wrong."""

    code = "unreadable_data"


class LineTooLong(InputError):
    """A line or a cell over the limit."""

    code, http_status = "line_too_long", 413


class DataTooLarge(InputError):
    """A file over the limit, unpacked; or a model of it would not fit into memory."""

    code, http_status = "data_too_large", 413


class EmptyData(InputError):
    """A file without rows."""

    code = "empty_data"


class TooFewLabels(InputError):
    """One class only, or a class too small to split."""

    code = "too_few_labels"


class UnknownLabel(InputError):
    """A label that the model was not trained on."""

    code = "unknown_label"


class UnknownName(InputError):
    """A recipe, a variant or an option's value that does not exist."""

    code = "unknown_name"


class NameInvalid(InputError):
    """A name with other characters than a name may have."""

    code = "name_invalid"


class WrongRows(InputError):
    """Rows that do not fit the model's inputs."""

    code = "wrong_rows"


class NotAnEncoder(InputError):
    """A network, or the folder of one, that cannot be taken in or exported."""

    code = "not_an_encoder"


class NotComparable(InputError):
    """Two models of different tasks, labels or inputs."""

    code = "not_comparable"


class OutputExists(InputError):
    """What would be written is there already."""

    code, http_status = "output_exists", 409


class FileChanged(InputError):
    """A file is not as it was when the work on it began."""

    code, http_status = "file_changed", 409


class UnknownModel(InputError):
    """No model or version of that name is served."""

    code, http_status = "unknown_model", 404


class UnknownRoute(InputError):
    """No such address."""

    code, http_status = "unknown_route", 404


class WrongMethod(InputError):
    """The address takes another method."""

    code, http_status = "wrong_method", 405


class WrongBody(InputError):
    """A request that cannot be read."""

    code, http_status = "wrong_body", 400


class WrongMediaType(InputError):
    """A body of a kind that the address does not read."""

    code, http_status = "wrong_media_type", 415


class BodyTooLarge(InputError):
    """A request over the limit, unpacked."""

    code, http_status = "body_too_large", 413


class HeadTooLarge(InputError):
    """The headers of a request are over the limit."""

    code, http_status = "head_too_large", 431


class TextTooLong(InputError):
    """A text over the model's limit, where cutting was refused."""

    code, http_status = "text_too_long", 413


class DamagedCheckpoint(InputError):
    """A training that was kept cannot be read again."""

    code = "damaged_checkpoint"


class BadCondition(InputError):
    """A condition on rows that cannot be read."""

    code = "bad_condition"


class TooManyDeadLetters(InputError):
    """More rows than allowed could not be answered."""

    code = "too_many_dead_letters"


class Incomplete(InputError):
    """Parts of a job are not done yet."""

    code, http_status = "incomplete", 409


class CannotWrite(InputError):
    """The place to write to is read-only, or is not a folder."""

    code = "cannot_write"


class Quarantined(InputError):
    """A version in quarantine may not serve."""

    code, http_status = "quarantined", 409


class StillServes(InputError):
    """A version that a pointer names cannot be taken away."""

    code, http_status = "still_serves", 409


class NoEarlierVersion(InputError):
    """There is nothing to roll back to."""

    code, http_status = "no_earlier_version", 409


class UnknownScheme(InputError):
    """An address of a kind that no stream has."""

    code = "unknown_scheme"


class AccessDenied(InputError):
    """A broker refuses the password, or what is asked of it."""

    code, http_status = "access_denied", 403


class BadSetting(InputError):
    """`cauce.toml` or an environment variable holds a wrong value."""

    code = "bad_setting"


class ModelFolderError(CauceError):
    """The model folder is wrong."""

    code, exit_code, http_status = "model_folder", 3, 503


class NotAModel(ModelFolderError):
    """No `cauce.json`, or not one of ours."""

    code = "not_a_model"


class NewerFormat(ModelFolderError):
    """Written by a later Cauce."""

    code = "newer_format"


class UnknownTask(ModelFolderError):
    """A task or a runtime that this Cauce does not know."""

    code = "unknown_task"


class FileGone(ModelFolderError):
    """A file of the folder is missing."""

    code = "file_gone"


class Truncated(ModelFolderError):
    """A file is shorter than was written."""

    code = "truncated"


class Tampered(ModelFolderError):
    """A file does not match its hash."""

    code = "tampered"


class PathEscapes(ModelFolderError):
    """A path that leads out of the folder."""

    code = "path_escapes"


class PickleRefused(ModelFolderError):
    """A pickle: loading one runs code."""

    code = "pickle_refused"


class GoldenFailed(ModelFolderError):
    """The model does not give the answers it was saved with."""

    code = "golden_failed"


class ParityFailed(ModelFolderError):
    """An exported graph answers something else than its network."""

    code = "parity_failed"


class DatabaseDamaged(ModelFolderError):
    """A database under Cauce's home is damaged, or is none."""

    code = "database_damaged"


class Unavailable(CauceError):
    """Try again later."""

    code, exit_code, http_status = "unavailable", 4, 503


class InUse(Unavailable):
    """Another process works on the same file."""

    code, http_status = "in_use", 409


class Overloaded(Unavailable):
    """More work is waiting than can be done in time.

    Attributes:
        retry_after: seconds after which it is worth another try.

    """

    code, http_status = "overloaded", 429

    def __init__(self, message: str, *, retry_after: float, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint=hint, where=where)
        self.retry_after = retry_after


class Expired(Unavailable):
    """The answer would have come too late."""

    code, http_status = "expired", 504


class NotReady(Unavailable):
    """A server that starts, drains, or fails its own test."""

    code, http_status = "not_ready", 503


class Stopped(Unavailable):
    """Stopped on the way; the same command goes on from there."""

    code = "stopped"


class PointerMoved(Unavailable):
    """Somebody else moved the pointer first."""

    code, http_status = "pointer_moved", 409


class BrokerGone(Unavailable):
    """A broker cannot be reached.

    Attributes:
        retry_after: seconds for which the broker itself asks to be left alone.

    """

    code = "broker_gone"

    def __init__(self, message: str, *, retry_after: float = 0.0, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint=hint, where=where)
        self.retry_after = retry_after


class OutOfMemory(Unavailable):
    """The memory is not enough."""

    code, http_status = "out_of_memory", 507


class StorageFull(Unavailable):
    """No space left where the output goes."""

    code, http_status = "storage_full", 507


class MissingExtra(CauceError):
    """An optional part is not installed."""

    code, exit_code, http_status = "missing_extra", 2, 501


class Interrupted(CauceError):
    """Ctrl-C."""

    code, exit_code = "interrupted", 130


def need(module: str, *, extra: str, what: str) -> ModuleType:
    """Import a module of an optional part, or name the pip line.

    Raises:
        MissingExtra: the module is not installed.

    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise MissingExtra(f"{what} needs {missing.name}", hint=f'install it with: pip install "cauce[{extra}]"') from None


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?`, or an empty string where nothing is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else ""


@contextmanager
def writing(place: Path, *, instead: str = "--out") -> Iterator[None]:
    """Turn the system's errors of writing into ours.

    Args:
        instead: the option or variable that names another place.

    Raises:
        StorageFull: no space, quota or file-size limit.
        CannotWrite: read-only, or a part of the path is a file.

    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(
                f"no space left to write {place}", hint=f"free some space, or write elsewhere with {instead}"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG):
            reason = (error.strerror or str(error)).lower()
            hint = f"choose a folder that you may write to with {instead}"
            raise CannotWrite(f"cannot write {place}: {reason}", hint=hint) from error
        raise
