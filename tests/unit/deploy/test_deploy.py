"""The service files say what the settings and exit codes say. No service manager and no Docker engine runs here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cauce.cli.stopping import GRACE
from cauce.errors import InputError, ModelFolderError, Unavailable
from cauce.settings import Stream

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "deploy" / "systemd" / "cauce-stream@.service"
COMPOSE = ROOT / "deploy" / "compose" / "stream.yaml"
LONGEST = Stream.model_fields["drain"].default + 3 * GRACE  # seconds that several workers may take to end
Command = Callable[..., subprocess.CompletedProcess[bytes]]


def unit(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)
    return str(value)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return dict(found["services"])


def test_a_service_has_longer_to_stop_than_its_workers_to_drain(services: dict[str, Any]) -> None:
    assert int(unit("TimeoutStopSec")) > LONGEST
    assert int(services["stream"]["stop_grace_period"].removesuffix("s")) > LONGEST


def test_what_a_restart_mends_is_restarted_and_nothing_else() -> None:
    assert unit("RestartForceExitStatus") == str(Unavailable.exit_code)
    assert unit("RestartPreventExitStatus").split() == [str(InputError.exit_code), str(ModelFolderError.exit_code)]


def test_the_unit_starts_the_stream_of_its_name(tmp_path: Path, cauce_command: Command) -> None:
    (tmp_path / "cauce.toml").write_text('[stream.tea]\nmodel = "echo"\n', encoding="utf-8")
    arguments = shlex.split(unit("ExecStart").replace("%i", "cafe"))[1:]
    done = cauce_command(*arguments, cwd=tmp_path)
    assert (done.returncode, b"cauce.toml has no [stream.cafe]" in done.stderr) == (2, True), done.stderr.decode()


def test_the_unit_is_one_that_systemd_reads(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    here = tmp_path / "cauce-stream@cafe.service"
    here.write_text(UNIT.read_text("utf-8").replace("/opt/cauce/bin/cauce", sys.executable), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_compose_sets_is_a_setting_and_each_worker_has_a_port(services: dict[str, Any]) -> None:
    given = services["stream"]["environment"]
    names = {name.removeprefix("CAUCE_STREAM_").lower(): value for name, value in given.items()}
    settings = Stream(**{("from_" if name == "from" else name): value for name, value in names.items()})
    assert {"model", "from", "to"} <= set(names) <= {name.rstrip("_") for name in Stream.model_fields}
    first = int(settings.metrics.rpartition(":")[2])
    ports = f"{first}-{first + settings.workers - 1}"
    assert services["stream"]["ports"] == [f"127.0.0.1:{ports}:{ports}"]


def test_the_image_is_made_of_what_is_here(services: dict[str, Any]) -> None:
    build = services["stream"]["build"]
    context = (COMPOSE.parent / build["context"]).resolve()
    file = (context / build["dockerfile"]).read_text("utf-8")
    copied = [name for line in re.findall(r"^COPY (.*)$", file, re.MULTILINE) for name in line.split()[:-1]]
    project = tomllib.loads((context / "pyproject.toml").read_text("utf-8"))["project"]
    assert all((context / name).exists() for name in copied)
    assert {project["readme"], *project["license-files"], "pyproject.toml", "src"} <= set(copied)
    assert all(extra in project["optional-dependencies"] for extra in re.findall(r"\.\[(\w+)\]", file))
