"""The processor's name: the same words for the same arithmetic, others where an instruction set is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cauce.model import processor

INTEL = """processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8488C
flags\t\t: fpu avx2 avx512f amx_bf16 avx512_vnni amx_int8 amx_tile avx512_bf16 avx_vnni sse2

processor\t: 1
model name\t: another
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm bf16 sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    for remembered in (processor.name, processor.slug, processor.instructions, processor._cpuinfo):
        remembered.cache_clear()
    yield
    for remembered in (processor.name, processor.slug, processor.instructions, processor._cpuinfo):
        remembered.cache_clear()


def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")


def test_intel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(tmp_path, monkeypatch, INTEL)
    assert processor.name() == (
        "Intel Xeon Platinum 8488C 6 143 (avx2, avx_vnni, avx512f, avx512_vnni, avx512_bf16, amx_bf16, amx_int8)"
    )
    assert processor.slug() == (
        "intel-xeon-platinum-8488c-6-143-avx2-avx_vnni-avx512f-avx512_vnni-avx512_bf16-amx_bf16-amx_int8"
    )


def test_a_missing_instruction_set_is_another_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(tmp_path, monkeypatch, INTEL.replace(" avx512_vnni", "").replace(" avx_vnni", ""))
    assert "vnni" not in processor.slug()


def test_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(tmp_path, monkeypatch, ARM)
    assert processor.slug().endswith("0x41-0xd40-asimddp-i8mm-bf16-sve")


def test_a_system_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    assert re.fullmatch("[a-z0-9_-]+", processor.slug())


def test_this_machine_has_a_name() -> None:
    assert re.fullmatch("[a-z0-9_-]{3,200}", processor.slug())
    assert processor.name()
