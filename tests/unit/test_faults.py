"""A fault point kills at its own step and at no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("named", "ends"), [("here", -signal.SIGKILL), ("there", 0), (None, 0)])
def test_the_named_step_kills(named: str | None, ends: int) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "CAUCE_FAULT"}
    if named:
        environment["CAUCE_FAULT"] = named
    code = "from cauce.faults import fault; fault('here')"
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=False).returncode == ends
