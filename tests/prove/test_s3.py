"""`cauce batch` against a real S3 server (moto's): killed at each commit step, it goes on to the very same output."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.prove
STEPS = (
    "plan.written", "plan.renamed", "part.written:2", "part.renamed:3", "record.written:4", "record.renamed:2",
    "manifest.written", "manifest.renamed",
)  # fmt: skip


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[Any, dict[str, str]]]:
    """A bucket with a file of messages, and the environment in which s3:// leads there."""
    reason = "moto's server and s3fs are not installed: pip install 'moto[server]' s3fs"
    for module in ("moto", "s3fs"):
        pytest.importorskip(module, reason=reason)
    import fsspec

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1"}
    environment = {**os.environ, **keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "CAUCE_FRAGMENT_BYTES": "20000"}
    try:
        for _ in range(100):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            bucket = fsspec.filesystem("s3")
            bucket.mkdir("bucket")
            rows = b"".join(b"%d,me encanta %d\n" % (n, n) for n in range(6000))
            bucket.pipe("bucket/in/a.csv", b"id,text\n" + rows)
            yield bucket, environment
    finally:
        server.kill()
        server.wait()


def parts(bucket: Any, out: str) -> dict[str, bytes]:
    names = bucket.find(f"bucket/{out}", refresh=True)
    return {name.rpartition("/")[2]: bucket.cat(name) for name in names if "part-" in name}


def test_killed_at_each_step_the_objects_are_the_same(store: tuple[Any, dict[str, str]], model_folder: Path) -> None:
    bucket, environment = store
    command = [sys.executable, "-m", "cauce", "batch", str(model_folder), "s3://bucket/in/*.csv"]
    subprocess.run([*command, "s3://bucket/whole"], env=environment, check=True, capture_output=True)
    whole = parts(bucket, "whole")
    assert len(whole) > 4
    for step in STEPS:
        out = step.replace(":", "-")
        killed = subprocess.run([*command, f"s3://bucket/{out}"], env={**environment, "CAUCE_FAULT": step}, check=False)
        assert killed.returncode == -signal.SIGKILL, step
        subprocess.run([*command, f"s3://bucket/{out}"], env=environment, check=True, capture_output=True)
        bucket.invalidate_cache()
        assert parts(bucket, out) == whole, step
        assert bucket.exists(f"bucket/{out}/manifest.json")
