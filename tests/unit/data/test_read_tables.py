"""CSV and TSV in: delimiters, quotes, line ends, and what the columns are."""

from __future__ import annotations

from pathlib import Path

import pytest

from cauce.data.columns import Columns
from cauce.data.dataset import Dataset
from cauce.data.read import read


def written(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def examples(data: Dataset) -> list[tuple[str, str]]:
    return list(zip(data.rows.column(0).to_pylist(), data.labels.to_pylist(), strict=True))


@pytest.mark.parametrize(
    "content",
    [
        "text,label\nhola; qué tal,bien\nadiós,mal\n",
        "text;label\nhola; qué tal;bien\nadiós;mal\n".replace("hola; qué tal", '"hola; qué tal"'),
        "text\tlabel\nhola; qué tal\tbien\nadiós\tmal\n",
        "text|label\nhola; qué tal|bien\nadiós|mal\n",
        "text,label\r\nhola; qué tal,bien\r\nadiós,mal\r\n",
        "text,label\nhola; qué tal,bien\nadiós,mal",
        "\ufefftext,label\nhola; qué tal,bien\nadiós,mal\n",
        '\ufeff"text","label"\r\n"hola; qué tal","bien"\r\n"adiós","mal"\r\n',
        "text,label\n\nhola; qué tal,bien\n\n\nadiós,mal\n\n",
        "label,text\nbien,hola; qué tal\nmal,adiós\n",
        "text,label,\nhola; qué tal,bien,\nadiós,mal,\n",
    ],
    ids=[
        "comma", "semicolon", "tab", "bar", "CRLF", "no last line end", "BOM", "BOM, quotes and CRLF", "blank lines",
        "label first", "a column without a name",
    ],
)  # fmt: skip
def test_every_way_of_writing_a_table_gives_the_same_examples(content: str, tmp_path: Path) -> None:
    data = read(written(tmp_path, content))
    assert examples(data) == [("hola; qué tal", "bien"), ("adiós", "mal")]
    assert data.rows.schema.names == ["text"]


def test_a_semicolon_file_may_hold_more_commas_than_semicolons(tmp_path: Path) -> None:
    assert examples(read(written(tmp_path, "text;label\nuno, dos, tres, cuatro;x\n"))) == [("uno, dos, tres, cuatro", "x")]


def test_a_blank_line_before_the_header_is_passed_over(tmp_path: Path) -> None:
    assert examples(read(written(tmp_path, "\ntext,label\na,x\n"))) == [("a", "x")]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_quoted_text_keeps_its_line_ends_delimiters_and_quotes(line_end: str, tmp_path: Path) -> None:
    text = f'she said ""no"",{line_end}twice'
    assert examples(read(written(tmp_path, f'text,label\n"{text}",x\n'))) == [(text.replace('""', '"'), "x")]


def test_a_text_may_hold_the_line_separators_of_unicode(tmp_path: Path) -> None:
    text = "uno\u2028dos\u0085tres\x0bcuatro\x0c"
    assert examples(read(written(tmp_path, f"text,label\n{text},x\n"))) == [(text, "x")]


def test_quotes_mean_nothing_in_a_tab_file(tmp_path: Path) -> None:
    content = 'text\tlabel\n"so called "art"\tx\n5" screen, nice\ty\n'
    assert examples(read(written(tmp_path, content, "data.tsv"))) == [('"so called "art"', "x"), ('5" screen, nice', "y")]


def test_a_tsv_splits_at_tabs_only(tmp_path: Path) -> None:
    assert examples(read(written(tmp_path, "text\tlabel\na, b; c\tx\n", "data.tsv"))) == [("a, b; c", "x")]


def test_the_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    assert examples(read(written(tmp_path, "text,label\na,x\n", "DATA.CSV"))) == [("a", "x")]


@pytest.mark.parametrize(
    ("header", "text", "label"),
    [
        ("id,tweet,sentiment", "tweet", "sentiment"),
        ("id,texto,etiqueta", "texto", "etiqueta"),
        ("id,reseña,categoría", "reseña", "categoría"),
        ("id,opinión,polaridad", "opinión", "polaridad"),
        ("id,Comentario,CLASE", "Comentario", "CLASE"),
        ("id, mensaje , intención ", " mensaje ", " intención "),
        ("sentence,text,label", "text", "label"),
    ],
)
def test_usual_names_of_columns_are_found_and_said(header: str, text: str, label: str, tmp_path: Path) -> None:
    cells = {text: "un texto", label: "x"}
    row = ",".join(cells.get(name, "0") for name in header.split(","))
    data = read(written(tmp_path, f"{header}\n{row}\n"))
    assert examples(data) == [("un texto", "x")]
    assert f'text is the column "{text}"' in data.notes
    assert f'label is the column "{label}"' in data.notes


def test_columns_that_are_not_used_are_said(tmp_path: Path) -> None:
    data = read(written(tmp_path, "id,text,label,country\n1,a,x,ES\n"))
    assert "not used: id, country" in data.notes


def test_of_two_columns_without_usual_names_the_longer_texts_are_the_text(tmp_path: Path) -> None:
    assert examples(read(written(tmp_path, "a,b\nx,a longer text\ny,another one\n"))) == [
        ("a longer text", "x"),
        ("another one", "y"),
    ]


def test_a_column_with_a_labels_name_is_never_guessed_to_be_the_text(tmp_path: Path) -> None:
    assert examples(read(written(tmp_path, "palabra,label\nmal,negative\nbien,positive\n"))) == [
        ("mal", "negative"),
        ("bien", "positive"),
    ]


def test_named_columns_are_taken_and_nothing_is_said_of_a_guess(tmp_path: Path) -> None:
    data = read(written(tmp_path, "text,label,gist,mood\na,x,b,y\n"), Columns(text=("gist",), label=("mood",)))
    assert examples(data) == [("b", "y")]
    assert data.rows.schema.names == ["gist"]
    assert data.notes == ("not used: text, label",)


def test_one_named_column_leaves_the_other_to_be_guessed(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label,mood\na,x,y\n")
    assert examples(read(path, Columns(label=("mood",)))) == [("a", "y")]
    assert examples(read(path, Columns(text=("mood",)))) == [("y", "x")]
    assert examples(read(path, Columns(label=("text",), text=("label",)))) == [("x", "a")]


def test_rows_without_a_label_or_a_text_are_left_out_and_counted(tmp_path: Path) -> None:
    data = read(written(tmp_path, 'text,label\na,x\n,x\n"  ",x\nb,\nc,y\n,\n'))
    assert examples(data) == [("a", "x"), ("c", "y")]
    assert [note for note in data.notes if note.startswith("left out")] == [
        "left out: 2 row(s) without a label",
        "left out: 2 row(s) without a text",
    ]


def test_nothing_is_said_of_rows_left_out_where_none_is(tmp_path: Path) -> None:
    assert not [note for note in read(written(tmp_path, "text,label\na,x\n")).notes if "left out" in note]


def test_space_around_a_label_makes_no_other_label(tmp_path: Path) -> None:
    data = read(written(tmp_path, "text,label\na,x\nb, x \nc,  \n"))
    assert examples(data) == [("a", "x"), ("b", "x")]
    assert "left out: 1 row(s) without a label" in data.notes


def test_texts_are_kept_as_they_are(tmp_path: Path) -> None:
    text = "  ¡Qué   MARAVILLA! 😍 man\u0303ana\u200b "
    assert examples(read(written(tmp_path, f"text,label\n{text},x\n"))) == [(text, "x")]
