"""The data doctor: each fault, planted, is found with its rows; its clean twin is not."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from cauce.data.check import check
from cauce.data.columns import Columns
from cauce.data.findings import Finding, Findings
from cauce.errors import EmptyData

ES = ("el pedido llegó tarde y con la caja rota", "me encanta la tienda de la esquina", "la comida de hoy no está nada mal")
EN = ("the parcel came late and the box was broken", "i love the shop around the corner", "the food today is not bad at all")
WORDS = "mesa silla perro gato coche playa monte río puente calle plaza libro taza reloj queso vino pan sal luz mar".split()

Rows = list[list[str]]


def rows_of(count: int = 60) -> Rows:
    """Different Spanish texts with two labels, and nothing wrong."""
    chance = random.Random(3)
    return [[f"{' '.join(chance.sample(WORDS, 8))} y no es lo que yo quería", "sí" if n % 2 else "no"] for n in range(count)]


@pytest.fixture
def examine(tmp_path: Path) -> Callable[..., Findings]:
    def run(
        rows: Rows, header: tuple[str, ...] = ("text", "label"), against: Rows | None = None, **columns: object
    ) -> Findings:
        paths = []
        for name, table in (("data.csv", rows), ("test.csv", against or [])):
            paths.append(tmp_path / name)
            with paths[-1].open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([header, *table])
        return check(paths[0], Columns(**columns), against=paths[1] if against else None)  # type: ignore[arg-type]

    return run


def finding(found: Findings, code: str) -> Finding:
    return next(one for one in found.findings if one.code == code)


def codes(found: Findings) -> set[str]:
    return {one.code for one in found.findings}


def test_clean_data_is_clean(examine: Callable[..., Findings]) -> None:
    found = examine(rows_of())
    assert found.clean
    assert codes(found) == {"languages"}
    assert found.rows == 60


def test_the_example_messages_are_clean(messages: Path) -> None:
    found = check(messages)
    assert found.clean
    assert codes(found) == {"languages"}


def test_the_hotel_reviews_have_37_percent_duplicates(real_data) -> None:
    found = check(real_data("ahr_hotel_reviews_es/reviews.csv"))
    assert finding(found, "exact_duplicates").count == 1980
    assert "(37.1%)" in finding(found, "exact_duplicates").what


TEXT = "la playa y el monte no son lo que yo quería ver hoy"
FAULTS: dict[str, tuple[list[list[str]], str]] = {
    "exact_duplicates": ([[TEXT, "no"], [f"  {TEXT} ", "no"]], "warning"),
    "near_duplicates": ([[TEXT, "no"], [f"RT @x: {TEXT.upper()} https://t.co/1", "no"]], "warning"),
    "conflicting_labels": ([[TEXT, "no"], [TEXT, "sí"]], "warning"),
    "empty_rows": ([["", "no"], ["   ", "sí"], [TEXT, ""]], "warning"),
    "nothing_said": ([["... !!", "no"], ["@ana https://t.co/x", "sí"]], "warning"),
    "very_long": ([[TEXT * 100, "no"]], "warning"),
    "other_alphabet": ([["Это совсем другой алфавит", "no"]], "warning"),
    "control_characters": ([[f"{TEXT}\x07", "no"]], "warning"),
    "wrong_encoding": ([["maÃ±ana estarÃ© en la playa que yo quiero", "no"]], "warning"),
    "lost_characters": ([["ma\ufffdana estar\ufffd en la playa que yo quiero", "no"]], "warning"),
    "escaped_twice": ([["Tom &amp;amp; Ana y lo que yo no quería ver", "no"]], "warning"),
    "too_few_rows": ([[TEXT, "otra"]], "error"),
    "small_classes": ([[f"{word} {word} {TEXT} {word}", "otra"] for word in WORDS[:5]], "warning"),
    "label_spelling": ([[f"{word} {word} {TEXT} {word}", "SÍ"] for word in WORDS[:12]], "warning"),
}


@pytest.mark.parametrize("code", FAULTS)
def test_a_planted_fault_is_found_with_its_lines(examine: Callable[..., Findings], code: str) -> None:
    planted, severity = FAULTS[code]
    found = examine([*rows_of(), *planted])
    one = finding(found, code)
    assert one.severity == severity
    assert one.count >= 1
    assert {sample.line for sample in one.rows} & set(range(62, 62 + len(planted)))
    assert all(len(sample.text) <= 90 and sample.text.isprintable() for sample in one.rows)
    assert one.why
    assert one.fix


def test_emoji_and_short_words_are_not_nothing(examine: Callable[..., Findings]) -> None:
    assert "nothing_said" not in codes(examine([*rows_of(), ["😀", "sí"], ["no", "no"], ["日本", "no"]]))


def test_one_class_is_an_error(examine: Callable[..., Findings]) -> None:
    found = examine([[text, "no"] for text, _ in rows_of()])
    assert finding(found, "one_class").severity == "error"
    assert not found.clean


def test_labels_one_letter_apart_are_told_and_opposites_are_not(examine: Callable[..., Findings]) -> None:
    rows = [
        [text, ("positive", "positivo", "typical", "atypical", "level1", "level2")[n % 6]]
        for n, (text, _) in enumerate(rows_of(90))
    ]
    assert finding(examine(rows), "similar_labels").what.count(" and ") == 1
    assert '"positiv' in finding(examine(rows), "similar_labels").what


def test_overlap_with_the_test_is_told_exact_and_near(examine: Callable[..., Findings]) -> None:
    rows = rows_of()
    found = examine(
        rows,
        against=[rows[4], [f"{rows[9][0].upper()} 😀", "no"], ["algo del todo distinto, que no está en ningún lado", "no"]],
    )
    assert (finding(found, "test_overlap").count, finding(found, "test_overlap").rows[0].line) == (1, 6)
    assert (finding(found, "near_test_overlap").count, finding(found, "near_test_overlap").rows[0].line) == (1, 11)
    assert finding(found, "test_overlap").severity == "error"


def test_the_languages_are_told(examine: Callable[..., Findings]) -> None:
    assert "es 100.0%" in finding(examine(rows_of()), "languages").what


@pytest.mark.parametrize(("bound", "told"), [(True, True), (False, False)])
def test_a_language_that_goes_with_the_label_is_told(examine: Callable[..., Findings], bound: bool, told: bool) -> None:
    chance = random.Random(5)
    rows = []
    for n in range(400):
        language = n % 2
        label = ("no", "sí")[language if bound and chance.random() < 0.8 else chance.randrange(2)]
        rows.append([f"{chance.choice((ES, EN)[language])} {' '.join(chance.sample(WORDS, 3))}", label])
    assert ("language_tells_label" in codes(examine(rows))) is told


def test_a_small_minority_language_is_told(examine: Callable[..., Findings]) -> None:
    chance = random.Random(5)
    rows = [*rows_of(400), *([f"{chance.choice(EN)} {n * 7}{' '.join(chance.sample(WORDS, 2))}", "no"] for n in range(22))]
    assert "en (" in finding(examine(rows), "minority_language").what


@pytest.mark.parametrize("used", [True, False])
def test_a_column_that_gives_the_label_away_is_told_used_or_not(examine: Callable[..., Findings], used: bool) -> None:
    chance = random.Random(2)
    rows = [
        [text, label, str(chance.randrange(100) + 60 * (label == "sí")), str(chance.random()), chance.choice("abc")]
        for text, label in rows_of(600)
    ]
    found = examine(rows, ("text", "label", "seconds", "chance", "kind"), **({"number": ("seconds",)} if used else {}))
    told = [one for one in found.findings if one.code == "label_given_away"]
    assert len(told) == 1
    assert '"seconds"' in told[0].what
    assert ("--ignore seconds" in told[0].fix) is used
    assert told[0].severity == ("warning" if used else "info")


def test_a_number_in_order_of_entry_that_grows_with_the_label_is_told(examine: Callable[..., Findings]) -> None:
    rows = sorted(rows_of(100), key=lambda row: row[1])
    found = examine([[str(1000 + n), *row] for n, row in enumerate(rows)], ("ticket", "text", "label"))
    assert '"ticket"' in finding(found, "label_given_away").what


def test_duration_of_the_bank_s_campaign_is_told_and_nothing_else(real_data, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(real_data("bank_marketing/bank-additional.zip")) as archive:
        (tmp_path / "bank.csv").write_bytes(archive.read("bank-additional/bank-additional-full.csv"))
    told = [one for one in check(tmp_path / "bank.csv").findings if one.code == "label_given_away"]
    assert ['"duration"' in one.what for one in told] == [True]


def test_one_row_is_told_of_and_no_row_is_refused(examine: Callable[..., Findings]) -> None:
    assert "one_class" in codes(examine([[TEXT, "no"]]))
    with pytest.raises(EmptyData):
        examine([["", "no"]])


def test_all_rows_equal(examine: Callable[..., Findings]) -> None:
    assert finding(examine([[TEXT, "no"]] * 500), "exact_duplicates").count == 499


def test_ten_thousand_classes_and_as_many_values(examine: Callable[..., Findings]) -> None:
    found = examine(
        [[f"{TEXT} {WORDS[n % 20]} {n}", f"etiqueta {n}", str(n)] for n in range(10_000)],
        ("text", "label", "n"),
        label=("label",),
    )
    assert finding(found, "too_few_rows").count == 10_000
    assert len(finding(found, "too_few_rows").what) < 400
