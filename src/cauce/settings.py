"""Every setting, declared once: flag > environment > cauce.toml > default.

A class is a table of `cauce.toml`; a field is a setting, its description the documentation
(`docs/reference/settings.md` is made from here).
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PositiveInt, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from cauce.errors import BadSetting, nearest

FILE = Path("cauce.toml")
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]


class Settings(BaseSettings):
    """Settings of the process: `[cauce]` in `cauce.toml`, `CAUCE_…` in the environment."""

    model_config = SettingsConfigDict(env_prefix="CAUCE_", env_ignore_empty=True, extra="ignore", frozen=True)

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
        return init_settings, env_settings, _Table(settings_cls)


class _Table(TomlConfigSettingsSource):
    """The table `[cauce]` of the file in the working folder."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls, FILE)

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        table = super()._read_file(file_path).get("cauce", {})
        if not isinstance(table, dict):
            raise BadSetting(f"{file_path}: cauce is {table!r}, not a table", hint="put the settings below a line [cauce]")
        for name in table:
            if name not in Settings.model_fields:
                known = f"the settings are: {', '.join(Settings.model_fields)}"
                raise BadSetting(
                    f"{file_path}: [cauce] has no setting {name}", hint=nearest(name, Settings.model_fields) or known
                )
        return dict(table)


@cache
def settings() -> Settings:
    """The settings of this process, read when they are first needed.

    Raises:
        BadSetting: the file or the environment holds a wrong value.

    """
    try:
        return Settings()
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"{FILE} is not TOML: {error}", hint="mend the line, or move the file away") from None
    except UnicodeDecodeError:
        raise BadSetting(f"{FILE} is not UTF-8", hint="save it as UTF-8") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise BadSetting(
            f'the setting "{name}" is {first["input"]!r}: {first["msg"].lower()}',
            hint=f"set CAUCE_{name.upper()} or [cauce] {name} in {FILE}",
        ) from None
