"""Eight threads on an install where nothing can be written and no OpenMP is there: right answers, no abort."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import cauce
model = cauce.load(sys.argv[1])
texts = json.loads(sys.stdin.read())
with ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(lambda _: model.predict(texts).scores.tolist(), range(16)))
assert all(answer == answers[0] for answer in answers)
from cauce.text.compiled import cache_folder
assert "libgomp" not in Path("/proc/self/maps").read_text()
print(json.dumps({"scores": answers[0], "cache": str(cache_folder())}))
"""


@pytest.mark.parametrize("threads", ["", "4"])
def test_eight_threads_on_a_read_only_install(model_folder: Path, tmp_path: Path, threads: str) -> None:
    import cauce

    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    texts = [f"mensaje {i}: no está nada mal, ¡me encanta! {'o' * (i % 7)}" for i in range(3000)]
    done = subprocess.run(
        [*(drop if os.geteuid() == 0 else []), sys.executable, "-c", CODE, str(model_folder)],
        input=json.dumps(texts).encode(),
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(closed),
            "CAUCE_KERNEL_CACHE": str(closed / "kernels"),
            "CAUCE_THREADS": threads,
        }
        if threads
        else {"PATH": os.environ["PATH"], "HOME": str(closed), "CAUCE_KERNEL_CACHE": str(closed / "kernels")},
        capture_output=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    answer = json.loads(done.stdout)
    assert answer["cache"] == "None"
    assert done.stderr.decode().count("CAUCE_KERNEL_CACHE") == 1  # said once
    assert answer["scores"] == cauce.load(model_folder).predict(texts).scores.tolist()
