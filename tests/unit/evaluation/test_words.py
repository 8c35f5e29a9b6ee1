"""The words of report and card: both languages say the same things, and write numbers as people read them."""

from __future__ import annotations

import re
import string
import tomllib
from importlib import resources
from pathlib import Path

import pytest

import cauce
from cauce.errors import UnknownName
from cauce.evaluation.words import LANGUAGES, Words

FILES = {
    language: tomllib.loads(resources.files("cauce.evaluation.words").joinpath(f"{language}.toml").read_text("utf-8"))
    for language in LANGUAGES
}
MADE = (  # whose ends come from figures, tasks and the data
    "language", "task", "severity", "part", "metric", "short", "finding", "section", "origin", "slice", "slices", "headline",
    "usual", "measured", "comparison", "card",
)  # fmt: skip
SOURCE = Path(cauce.__file__).parent


def test_both_languages_have_the_same_keys_with_the_same_values() -> None:
    def values(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert list(FILES["en"]) == list(FILES["es"])
    assert {key: values(text) for key, text in FILES["en"].items()} == {key: values(text) for key, text in FILES["es"].items()}


def test_every_finding_of_the_data_doctor_has_words() -> None:
    source = "".join(path.read_text("utf-8") for path in (SOURCE / "data" / "checks").glob("*.py"))
    codes = set(re.findall(r'^\s+"([a-z]+(?:_[a-z]+)+|languages)",$', source, re.MULTILINE)) | set(
        re.findall(r'^\s+\("([a-z_]+)", "(?:error|warning|info)"', source, re.MULTILINE)
    )
    assert {"exact_duplicates", "label_given_away", "near_test_overlap", "languages", "escaped_twice"} <= codes
    assert not [code for code in sorted(codes) if f"finding.{code}" not in FILES["en"]]


def test_no_words_are_left_that_nothing_says() -> None:
    source = "".join(path.read_text("utf-8") for path in (SOURCE / "evaluation").glob("**/*.py"))
    made = re.compile(r"(" + "|".join(MADE) + r")\.|POINT|THOUSANDS")
    unsaid = [key for key in FILES["en"] if f'"{key}"' not in source and f"'{key}'" not in source]
    assert not [key for key in unsaid if not made.match(key)]


def test_what_has_no_words_yet_is_called_by_its_name() -> None:
    assert Words("es").named("metric", "bleu") == "bleu"
    assert Words("es").named("metric", "mae") == "error medio (menos es mejor)"


@pytest.mark.parametrize(
    ("language", "value", "digits", "written"),
    [
        ("en", 0.8312, 3, "0.831"),
        ("es", 0.8312, 3, "0,831"),
        ("en", -0.05, 2, "−0.05"),
        ("en", 12345.678, 3, "12,346"),
        ("es", 12345.678, 3, "12\u202f346"),
        ("es", 1234.56, 3, "1\u202f234,6"),
        ("en", 100, 0, "100"),
        ("es", 0.00038, 3, "0,00038"),
        ("en", 0.0, 3, "0.000"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(language: str, value: float, digits: int, written: str) -> None:
    assert Words(language).number(value, digits) == written


def test_counts_and_shares_in_sentences() -> None:
    assert Words("es")("mistakes.none") != Words("en")("mistakes.none")
    assert Words("es").percent(0.5) == "50\u00a0%"
    assert Words("en")("few.note", rows=1234) == "“Few rows” marks fewer than 1,234: such a figure says little."


def test_a_language_that_is_not_there_is_told() -> None:
    with pytest.raises(UnknownName, match="fr"):
        Words("fr")
