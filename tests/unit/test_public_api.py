"""The public door: these names, no others, and nothing heavy behind a bare import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cauce


def test_only_the_promised_names_are_public() -> None:
    promised = {
        "CauceError",
        "Model",
        "Prediction",
        "Predictions",
        "Report",
        "Run",
        "evaluate",
        "load",
        "train",
        "compare",
        "Comparison",
        "Client",
        "AsyncClient",
    }
    assert set(cauce.__all__) == set(dir(cauce)) == promised
    assert all(getattr(cauce, name).__doc__ for name in promised)
    with pytest.raises(AttributeError, match="nothing"):
        _ = cauce.nothing


def test_importing_cauce_imports_no_library() -> None:
    """`import cauce` and `cauce --help` stay instant because nothing heavy is imported for them."""
    heavy = "{'numpy', 'pyarrow', 'numba', 'pydantic', 'rich', 'sklearn', 'torch'}"
    for line in ("import cauce", "import cauce.cli.main"):
        code = f"{line}; import sys; print(sorted({heavy} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True, text=True)
        assert done.stdout.strip() == "[]"


def test_the_answers_of_the_fake_that_ships() -> None:
    answer = cauce.load("echo").predict(["banana", "no"], top_k=1)
    assert [(a.label, len(a.scores)) for a in answer] == [("many_a", 1), ("few_a", 1)]
