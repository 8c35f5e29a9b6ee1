"""A disk without room for the compiled kernels slows the start, and fails nothing."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path


def test_kernels_that_cannot_be_kept_are_compiled_anyway(tmp_path: Path) -> None:
    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [sys.executable, "-m", "cauce", "predict", "echo", "banana", "--json"],
        env={**os.environ, "CAUCE_KERNEL_CACHE": str(tmp_path / "kernels")},
        preexec_fn=full,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["label"] == "many_a"
    assert not list((tmp_path / "kernels").rglob("unicode-*.*.npy"))
