"""Every setting, declared once: flag > environment > cauce.toml > default.

A class is a table of `cauce.toml`; a field is a setting, its description the documentation
(`docs/reference/settings.md` is made from here).
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from cauce.errors import BadSetting, nearest

FILE = Path("cauce.toml")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]
T = TypeVar("T", bound="Table")


def _seconds(written: Any) -> Any:
    """Seconds of `50ms`, `30s`, `10m`, `1h`; what has no unit is left as it is."""
    found = re.fullmatch(r"\s*(\d*\.?\d+)\s*([a-z]+)\s*", written) if isinstance(written, str) else None
    if found is None:
        return written
    if found[2] not in UNITS:
        raise ValueError("a time is written like 30s, 10m or 1h")
    return float(found[1]) * UNITS[found[2]]


class Table(BaseSettings):
    """A table of `cauce.toml`."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)
    TABLE: ClassVar[str]
    PARTS: ClassVar[bool] = False  # whether there may be tables [TABLE.NAME], with the same settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, first wins."""
        return init_settings, env_settings, _File(cls)


class Settings(Table):
    """Settings of the process: `[cauce]` in `cauce.toml`, `CAUCE_…` in the environment."""

    model_config = SettingsConfigDict(env_prefix="CAUCE_")
    TABLE = "cauce"

    home: UserPath = Field(
        Path.home() / ".local" / "share" / "cauce",
        description="Where versions, the registry and the machine's state are kept.",
    )
    threads: PositiveInt | None = Field(
        None, description="Threads of the kernels. Without it: what affinity and the cgroup's quota allow."
    )
    kernel_cache: UserPath | None = Field(
        None, description="Folder of the compiled kernels. Without it: the user's cache, then a temporary folder."
    )
    max_line_bytes: PositiveInt = Field(10_000_000, description="Longest line of a text file; a longer one is refused.")
    max_data_bytes: PositiveInt = Field(
        2_000_000_000, description="Largest file of examples, unpacked, in bytes; a larger one is refused."
    )
    fragment_bytes: PositiveInt | None = Field(
        None,
        description="Bytes of input that make one part of the output of `cauce batch`, and that a stopped run finishes. "
        "Without it: 32 MiB, or 512 KiB for a model that takes longer.",
    )


class Serve(Table):
    """Settings of `cauce serve`: `[serve]` in `cauce.toml`, `CAUCE_SERVE_…` in the environment."""

    model_config = SettingsConfigDict(env_prefix="CAUCE_SERVE_")
    TABLE = "serve"

    host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 for all of the machine's.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 for any that is free.")
    max_body_bytes: PositiveInt = Field(10_000_000, description="Largest body of a request, unpacked; a larger one is refused.")
    max_rows: PositiveInt = Field(20_000, description="Rows that may wait in all; more are refused with 429.")
    max_wait_ms: NonNegativeFloat = Field(
        0.0, description="Milliseconds that rows wait for others to share a call with, where a worker is idle. 0: none do."
    )
    timeout: PositiveFloat = Field(
        30.0, description="Seconds that a request waits where it has no `X-Request-Timeout`, and the most that it may ask for."
    )
    drain: PositiveFloat = Field(20.0, description="Seconds that requests have to end after SIGTERM.")
    max_call: PositiveFloat = Field(
        60.0,
        description="Seconds that a call of a model may take; after that `/health/live` fails and the process ends, for "
        "whoever watches it to start another.",
    )
    log_format: Literal["text", "json"] = Field("text", description="How the log on stderr is written.")
    access_log: bool = Field(False, description="Whether the log has a line for each request: never with its text.")


class Stream(Table):
    """Settings of `cauce stream`: `[stream]` in `cauce.toml`, `CAUCE_STREAM_…` in the environment.

    A table `[stream.NAME]` holds those of one stream, which go before `[stream]`.
    """

    model_config = SettingsConfigDict(env_prefix="CAUCE_STREAM_", populate_by_name=True)
    TABLE = "stream"
    PARTS = True

    model: str = Field("", description="What answers: a model folder, a registered name that is followed, or `echo`.")
    from_: str = Field("", validation_alias="CAUCE_STREAM_FROM", description="Where messages come from.")
    to: str = Field("", description="Where answers go.")
    dead: str = Field(
        "", description="Where dead letters go. Without it: the stream `FROM:dead`, or the folder `OUT/dead_letters`."
    )
    variant: str = Field("auto", description="Which variant answers. `auto`: the best that is proven on this processor.")
    rescore: bool = Field(False, description="Whether another version's answer is another result.")
    workers: PositiveInt = Field(1, description="Processes that answer side by side, where several can share the messages.")
    worker_name: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="What the worker is called in its group, where the broker keeps names; a second one with it is refused. "
        "Without it: a name of its own at each start.",
    )
    metrics: str = Field(
        "",
        description="Where Prometheus reads: `PORT` for this machine alone, or `HOST:PORT`; of several workers each has the "
        "next port. Without it: nowhere.",
    )
    drain: PositiveFloat = Field(
        20.0,
        description="Seconds after SIGTERM in which what was fetched is answered; after that the worker ends with code 4, and "
        "the rest is given out again.",
    )
    group: str = Field("cauce", min_length=1, description="Whose position in the messages it is; another group begins anew.")
    max_delay: PositiveFloat = Field(0.05, description="Seconds that a message may wait for others to be answered with.")
    max_batch: PositiveInt = Field(
        16_384, description="Messages that are answered together at most; fewer where they take the model longer than 0.25 s."
    )
    max_bytes: PositiveInt = Field(32_000_000, description="Bytes of messages that a worker fetches for one batch.")
    max_message_bytes: PositiveInt = Field(1_000_000, description="Longest message; a longer one becomes a dead letter.")
    max_attempts: PositiveInt = Field(
        5, description="Workers that may die on a message before it becomes a dead letter, where the broker counts."
    )
    wait: NonNegativeFloat = Field(
        300.0, description="Seconds that a broker which cannot be reached is waited for, at the start and later; 0: not at all."
    )
    takeover: PositiveFloat = Field(
        6.0, description="Seconds after which another worker takes over what a dead one held; it looks three times in them."
    )
    remember: PositiveInt = Field(
        600,
        description="Seconds for which Redis, or a NATS stream that is made, remembers the key of a result; "
        "about 180 bytes each.",
    )
    part_seconds: PositiveFloat = Field(
        2.0, description="Seconds after which a part of a folder is finished; its messages are acknowledged then."
    )
    part_rows: PositiveInt = Field(100_000, description="Results that a part of a folder holds at most.")
    http_token: SecretStr | None = Field(
        None, description="What whoever sends messages over HTTP has to know; without it only this machine may send any."
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="Signs what is sent to a webhook, as Standard Webhooks say: `whsec_` and the base64 of 24 bytes or more. "
        "Without it nothing is signed.",
    )
    windows: str | None = Field(
        None,
        description="The database of the counts by label: `sql:sqlite:///windows.db`, or `sql:postgresql://host/database`.",
    )
    window: Annotated[int, BeforeValidator(_seconds)] = Field(
        60, ge=1, description="How long each window is in which results are counted: `30s`, `1m`, `1h`."
    )
    lateness: Annotated[float, BeforeValidator(_seconds)] = Field(
        30.0,
        ge=0,
        description="How far a message may be behind the newest one and still be counted in its own window. What is later is "
        "counted as `late`.",
    )
    terms: tuple[str, ...] = Field(
        (), description="Words and phrases whose messages are counted too, whatever their case and accents. About 0.2 µs each."
    )
    alerts: tuple[str, ...] = Field(
        (), description='Rules of alerts, such as `share(negative, "café") > 40 % over 10 min, n >= 50`.'
    )
    alert_to: str | None = Field(None, description="Where alerts go: `webhook:https://…`.")


class _File(TomlConfigSettingsSource):
    """The table of the file in the working folder; of a part, what it says goes before what the whole says."""

    def __init__(self, settings_cls: type[Table]) -> None:
        self._table = settings_cls
        super().__init__(settings_cls, FILE)

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        name, _, part = self._table.TABLE.partition(".")
        whole = _table(file_path, name, super()._read_file(file_path).get(name, {}))
        parts = {key: value for key, value in whole.items() if isinstance(value, dict)} if self._table.PARTS else {}
        values = self._known(file_path, name, {key: value for key, value in whole.items() if key not in parts})
        if part:
            if part not in parts:
                hint = nearest(part, parts) or f"put what it does below a line [{name}.{part}]"
                raise BadSetting(f"{file_path} has no [{name}.{part}]", hint=hint)
            values |= self._known(file_path, self._table.TABLE, parts[part])
        return values

    def _known(self, file_path: Any, name: str, table: dict[str, Any]) -> dict[str, Any]:
        """The settings of a table, by their fields."""
        fields = written(self._table)
        for key in table:
            if key not in fields:
                known = f"the settings are: {', '.join(fields)}"
                raise BadSetting(f"{file_path}: [{name}] has no setting {key}", hint=nearest(key, fields) or known)
        return {fields[key]: value for key, value in table.items()}


def _table(file_path: Any, name: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise BadSetting(f"{file_path}: {name} is {found!r}, not a table", hint=f"put the settings below a line [{name}]")
    return found


def written(table: type[Table]) -> dict[str, str]:
    """The names of the settings as people write them, each with its field: a word of Python's has an underscore there."""
    return {name.rstrip("_"): name for name in table.model_fields}


@cache
def settings() -> Settings:
    """The settings of this process, read when they are first needed.

    Raises:
        BadSetting: the file or the environment holds a wrong value.

    """
    return read(Settings)


def read(table: type[T], part: str | None = None, **given: Any) -> T:
    """A table's settings, with those that were given as flags; None stands for a flag that was not.

    Args:
        part: the NAME of a `[TABLE.NAME]`, whose settings go before those of `[TABLE]`.

    Raises:
        BadSetting: a flag, the file or the environment holds a wrong value, or there is no such part.

    """
    if part is not None:
        if not FILE.exists():
            raise BadSetting(f"there is no {FILE} here", hint=f"write one, with a line [{table.TABLE}.{part}]")
        table = type(table.__name__, (table,), {"TABLE": f"{table.TABLE}.{part}", "__module__": __name__})
    try:
        return table(**{name: value for name, value in given.items() if value is not None})
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"{FILE} is not TOML: {error}", hint="mend the line, or move the file away") from None
    except UnicodeDecodeError:
        raise BadSetting(f"{FILE} is not UTF-8", hint="save it as UTF-8") from None
    except ValidationError as error:
        first, prefix = error.errors()[0], table.model_config["env_prefix"]
        name = ".".join(map(str, first["loc"])).removeprefix(prefix).lower()
        raise BadSetting(
            f'the setting "{name}" is {first["input"]!r}: {first["msg"].lower()}',
            hint=f"set {prefix}{name.upper()} or [{table.TABLE}] {name} in {FILE}",
        ) from None
