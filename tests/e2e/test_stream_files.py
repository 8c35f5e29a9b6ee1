"""Files in and out: a full disk, a folder that is read-only, two who read one file; memory that does not grow."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streaming import entries, fill, messages, rows, start, stream, until, wanted

Command = Callable[..., subprocess.CompletedProcess[bytes]]
COUNT = 600
PAGE = resource.getpagesize()


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b"".join(one + b"\n" for one in messages(range(COUNT))))
    return path


def small_files() -> None:
    """No file of this process may be larger than 30 kB: what a full disk looks like."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_full_disk_says_so_and_the_same_command_goes_on(
    kind: str, posts: Path, tmp_path: Path, environment: dict[str, str], cauce_command: Command
) -> None:
    out = tmp_path / "out"
    if kind == "parquet":  # it takes more of them until there are 30 kB
        posts.write_bytes(b"".join(json.dumps({"id": n, "text": f"{n} {n**200}"}).encode() + b"\n" for n in range(COUNT)))
    command = ("stream", "run", "echo", "--from", f"file:{posts}", "--to", f"file:{out}?format={kind}")
    one_part = {**environment, "CAUCE_STREAM_PART_SECONDS": "60"}
    full = cauce_command(*command, env=one_part, preexec_fn=small_files)
    assert full.returncode == 4, full.stderr.decode()
    assert b"no space left" in full.stderr
    assert not list(out.glob("*part-*"))
    again = cauce_command(*command, env=one_part)
    if kind == "parquet":
        import pyarrow.parquet as pq

        assert again.returncode == 0, again.stderr.decode()
        found = [one for part in out.glob("part-*") for one in pq.read_table(part).column("id").to_pylist()]
        assert Counter(map(int, found)) == Counter(range(COUNT))
    else:
        assert again.returncode == 5, again.stderr.decode()
        assert Counter(one["id"] for one in rows(out)) == wanted(COUNT)


def test_a_full_disk_leaves_the_messages_with_the_broker(
    tmp_path: Path, environment: dict[str, str], broker: tuple[Any, str], cauce_command: Command
) -> None:
    client, address = broker
    raw, out = f"{address}-raw", tmp_path / "out"
    fill(client, raw, messages(range(COUNT)))
    one_part = {**environment, "CAUCE_STREAM_PART_SECONDS": "60"}
    command = ("stream", "run", "echo", "--from", raw, "--to", f"file:{out}")
    full = cauce_command(*command, env=one_part, preexec_fn=small_files)
    assert full.returncode == 4, full.stderr.decode()
    assert b"no space left" in full.stderr
    again = start("--from", raw, "--to", f"file:{out}", env=environment)
    until(lambda: client.xinfo_groups(stream(raw))[0]["pending"] == client.xinfo_groups(stream(raw))[0]["lag"] == 0)
    again.terminate()
    again.communicate(timeout=60)
    assert Counter(one["id"] for one in rows(out)) == wanted(COUNT)
    assert Counter(one["code"] for one in entries(client, f"{raw}:dead")) == {"empty_text": COUNT // 100}


@pytest.mark.parametrize("which", ["out", "home"])
def test_a_folder_that_is_read_only_is_named(
    which: str, posts: Path, tmp_path: Path, environment: dict[str, str], unprivileged: list[str]
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    env = {**environment, "CAUCE_HOME": str(locked)} if which == "home" else environment
    out = locked / "out" if which == "out" else tmp_path / "out"
    command = [sys.executable, "-m", "cauce", "stream", "run", "echo", "--from", f"file:{posts}", "--to", f"file:{out}"]
    done = subprocess.run([*unprivileged, *command], env=env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr.decode()
    assert str(locked).encode() in done.stderr
    assert (b"--to" if which == "out" else b"CAUCE_HOME") in done.stderr
    assert b"Traceback" not in done.stderr


def test_two_cannot_read_one_file_in_one_group(
    posts: Path, tmp_path: Path, environment: dict[str, str], cauce_command: Command
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    slow = start("--from", f"file:{posts}?rate=20", "--to", f"file:{first}", env=environment)
    until(lambda: list(first.glob("part-*")))
    command = ("stream", "run", "echo", "--from", f"file:{posts}", "--to", f"file:{second}")
    done = cauce_command(*command, env=environment)
    assert done.returncode == 4, done.stderr.decode()
    assert f"another worker of the group cauce reads {posts}".encode() in done.stderr
    assert cauce_command(*command, "--group", "other", env=environment).returncode == 5
    assert Counter(one["id"] for one in rows(second)) == wanted(COUNT)
    slow.kill()


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_memory_does_not_grow_with_what_was_answered(tmp_path: Path, environment: dict[str, str]) -> None:
    """By less than 1 MB in 100,000 messages, once as many keys are remembered as ever will be."""
    count, warm, path = 4_000_000, 1_000_000, tmp_path / "posts.jsonl"
    with path.open("wb") as file:
        file.writelines(b'{"id":%d,"text":"me encanta %d"}\n' % (n, n) for n in range(count))
    usual = {name: value for name, value in environment.items() if not name.startswith("CAUCE_STREAM_")}
    with (tmp_path / "said").open("wb") as said:
        worker = start("--from", f"file:{path}", "--to", f"file:{tmp_path / 'out'}", env=usual, stderr=said)
        seen, size = list[tuple[float, float]](), path.stat().st_size
        while worker.poll() is None:
            time.sleep(0.02)
            for position in Path(usual["CAUCE_HOME"]).glob("stream/*.json"):
                answered = json.loads(position.read_bytes())["at"] / size * count
                pages = Path(f"/proc/{worker.pid}/statm").read_text().split()[1:2]
                seen += [(answered, int(pages[0]) * PAGE / 1e6)] if pages and answered > warm else []
    assert worker.returncode == 0, (tmp_path / "said").read_text()
    alive = np.array([(answered, megabytes) for answered, megabytes in seen if megabytes])
    assert len(alive) > 50
    slope = np.polyfit(alive[:, 0] / 100_000, alive[:, 1], 1)[0]
    assert slope < 1, f"{slope:.2f} MB more for 100,000 messages, of {alive[:, 1].max():.0f}"
