"""Other people's texts on a terminal: shown, not obeyed."""

from __future__ import annotations

import pytest

from cauce.cli.show import wrapped


def test_lines_stay_lines_and_long_ones_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    assert wrapped("uno dos tres cuatro cinco seis\r\n\nsiete") == "  uno dos tres cuatro\n  cinco seis\n\n  siete"
