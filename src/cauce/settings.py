"""Every setting, declared once: flag > environment > cauce.toml > default.

A class is a table of `cauce.toml`; a field is a setting, its description the documentation
(`docs/reference/settings.md` is made from here).
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from cauce.errors import BadSetting, nearest

FILE = Path("cauce.toml")
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]
T = TypeVar("T", bound="Table")


class Table(BaseSettings):
    """A table of `cauce.toml`."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)
    TABLE: ClassVar[str]

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
    """Settings of `cauce stream`: `[stream]` in `cauce.toml`, `CAUCE_STREAM_…` in the environment."""

    model_config = SettingsConfigDict(env_prefix="CAUCE_STREAM_")
    TABLE = "stream"

    group: str = Field("cauce", min_length=1, description="Whose position in the messages it is; another group begins anew.")
    max_delay: PositiveFloat = Field(0.05, description="Seconds that a message may wait for others to be answered with.")
    max_batch: PositiveInt = Field(2000, description="Messages that are answered together.")
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
        600, description="Seconds for which Redis remembers the key of a result; about 100 bytes each."
    )
    part_seconds: PositiveFloat = Field(
        2.0, description="Seconds after which a part of a folder is finished; its messages are acknowledged then."
    )
    part_rows: PositiveInt = Field(100_000, description="Results that a part of a folder holds at most.")


class _File(TomlConfigSettingsSource):
    """The table of the file in the working folder."""

    def __init__(self, settings_cls: type[Table]) -> None:
        self._table = settings_cls
        super().__init__(settings_cls, FILE)

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        name, fields = self._table.TABLE, self._table.model_fields
        table = super()._read_file(file_path).get(name, {})
        if not isinstance(table, dict):
            raise BadSetting(f"{file_path}: {name} is {table!r}, not a table", hint=f"put the settings below a line [{name}]")
        for key in table:
            if key not in fields:
                known = f"the settings are: {', '.join(fields)}"
                raise BadSetting(f"{file_path}: [{name}] has no setting {key}", hint=nearest(key, fields) or known)
        return dict(table)


@cache
def settings() -> Settings:
    """The settings of this process, read when they are first needed.

    Raises:
        BadSetting: the file or the environment holds a wrong value.

    """
    return read(Settings)


def read(table: type[T], **given: Any) -> T:
    """A table's settings, with those that were given as flags; None stands for a flag that was not.

    Raises:
        BadSetting: a flag, the file or the environment holds a wrong value.

    """
    try:
        return table(**{name: value for name, value in given.items() if value is not None})
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"{FILE} is not TOML: {error}", hint="mend the line, or move the file away") from None
    except UnicodeDecodeError:
        raise BadSetting(f"{FILE} is not UTF-8", hint="save it as UTF-8") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise BadSetting(
            f'the setting "{name}" is {first["input"]!r}: {first["msg"].lower()}',
            hint=f"set {table.model_config['env_prefix']}{name.upper()} or [{table.TABLE}] {name} in {FILE}",
        ) from None
