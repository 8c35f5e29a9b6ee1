"""The report: one whole page, safe whatever the texts are, the same in both languages, with the figures that were measured."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

import cauce
from cauce.data.columns import Columns
from cauce.evaluation.card import SECTIONS, card
from cauce.evaluation.report import page
from cauce.evaluation.study import FILE, Study, read
from cauce.evaluation.words import LANGUAGES, Words
from cauce.model import folder
from cauce.model.manifest import Manifest

MOST_BYTES = 1_000_000
LOADING = {"script", "img", "link", "iframe", "object", "embed", "form", "base", "image", "use", "video", "audio"}
VOID = {"meta", "br", "link", "img", "input", "hr"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></svg>]]>--><svg onload=alert(1)>",
    "\u202eright to left\u202c\x00\x1b[31m",
    "مرحبا بالعالم 👩‍💻 " * 3,
    "palabra " * 1250,
    "`|code|` [link](javascript:alert(1)) ![x](http://evil.example/x.png) | a | b",
)


class Page(HTMLParser):
    """Every tag closed in its order, and what stands in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.heads: list[int] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if re.fullmatch(r"h\d", tag):
            self.heads.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.tags if "id" in attributes]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose labels and texts want to break out of a page, and which is wrong about most of them."""
    place = tmp_path_factory.mktemp("hostile")
    labels = ["<script>alert(2)</script>", "a|b `c`\u202e", "plain"]
    with (place / "<b>data.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(120):
            text = HOSTILE[number % len(HOSTILE)].replace("\x00", "\x01")
            writer.writerow([f"{text} {number}", labels[number * 7 % 3]])
    cauce.train(place / "<b>data.csv", out=place / "model", name="<i>m</i>")
    return place / "model"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, model_folder: Path, messages: Path, hostile: Path) -> dict[str, Path]:
    """A model folder of each task."""
    place = tmp_path_factory.mktemp("tasks")
    with messages.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (place / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "day", "tags", "stars"])
        for number, row in enumerate(rows):
            tags = ";".join([row["label"], *(["question"] if "?" in row["text"] else [])])
            writer.writerow([row["text"], f"2026-{number % 9 + 1:02}-15", tags, len(row["label"]) + number % 5 / 10])
    several, number = place / "several", place / "number"
    cauce.train(place / "rows.csv", label="tags", columns=_columns(label_delimiter=";"), out=several)
    cauce.train(place / "rows.csv", label="stars", columns=_columns(time="day"), out=number)
    return {"classification": model_folder, "multilabel": several, "regression": number, "hostile": hostile}


def _columns(**known: str) -> Columns:

    return Columns(text=("text",), ignore=("day", "stars") if "label_delimiter" in known else ("tags",), **known)


TASKS = ("classification", "multilabel", "regression", "hostile")


def contents(place: Path) -> tuple[Manifest, Study]:
    return folder.read(place), read(place)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASKS)
def test_the_page_is_whole_small_and_needs_nothing_from_elsewhere(trained: dict[str, Path], task: str, language: str) -> None:
    name = {"en": "report.html", "es": "report.es.html"}[language]
    written = (trained[task] / "evidence" / name).read_text("utf-8")
    found = Page(written)
    assert len(written.encode()) < MOST_BYTES
    assert written == page(*contents(trained[task]), Words(language))
    assert {tag for tag, _ in found.tags}.isdisjoint(
        {"script", "img", "link", "iframe", "object", "form", "base", "image", "use"}
    )
    for tag, attributes in found.tags:
        assert not [key for key in attributes if key.startswith("on") or key in ("src", "srcset", "xlink:href", "action")]
        assert (attributes.get("href") or "#").startswith("#"), tag
    style = re.search(r"<style>(.*?)</style>", written, re.DOTALL)
    assert style
    assert not re.search(r"url\(|@import|https?:", style[1])
    assert ("html", {"lang": language}) in found.tags
    assert len(found.ids()) == len(set(found.ids()))
    assert {attributes["href"] for tag, attributes in found.tags if tag == "a"} <= {f"#{name}" for name in found.ids()}


@pytest.mark.parametrize("task", TASKS)
def test_the_page_can_be_read_without_seeing_it(trained: dict[str, Path], task: str) -> None:
    found = Page(page(*contents(trained[task]), Words("en")))
    assert found.heads[0] == 1
    assert found.heads.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(found.heads, found.heads[1:], strict=False))
    drawings = [attributes for tag, attributes in found.tags if tag == "svg"]
    assert drawings
    assert all(one.get("role") == "img" and one.get("aria-label") for one in drawings)
    assert sum(tag == "title" for tag, _ in found.tags) == len(drawings) + 1
    assert all("scope" in attributes for tag, attributes in found.tags if tag == "th")


@pytest.mark.parametrize("task", TASKS)
def test_both_languages_have_the_same_sections(trained: dict[str, Path], task: str) -> None:
    manifest, study = contents(trained[task])
    pages = [Page(page(manifest, study, Words(language))) for language in LANGUAGES]
    assert pages[0].ids() == pages[1].ids()
    assert [tag for tag, _ in pages[0].tags] == [tag for tag, _ in pages[1].tags]
    cards = [card(manifest, study, Words(language)) for language in LANGUAGES]
    assert [text.count("\n## ") for text in cards] == [len(SECTIONS)] * 2
    assert len({text.count("\n") for text in cards}) == 1


def test_texts_and_labels_of_other_people_are_shown_and_not_obeyed(hostile: Path) -> None:
    manifest, study = contents(hostile)
    assert any("<script>" in one.text + one.true for one in study.mistakes)
    for language in LANGUAGES:
        written = page(manifest, study, Words(language))
        assert "<script" not in written
        assert "&lt;script&gt;" in written
        assert "onerror=alert(1)&gt;" in written
        assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", written)
        told = card(manifest, study, Words(language))
        assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", told)
        prose = re.sub(r"`[^`\n]*`", "", told)
        assert "<" not in prose
        columns = {re.sub(r"\\.", "", line).count("|") for line in told.splitlines() if line.startswith("| `")}
        assert columns <= {3, 7}, "a label with a bar broke a table"


@pytest.mark.parametrize("task", TASKS[:3])
def test_the_figures_are_those_that_were_measured(trained: dict[str, Path], task: str) -> None:
    metrics = json.loads((trained[task] / "evidence" / "metrics.json").read_text("utf-8"))
    manifest, study = contents(trained[task])
    assert study.rows == metrics["rows"]
    assert study.counts == metrics["counts"]
    for name, figure in study.metrics.items():
        assert (figure.value, figure.low, figure.high) == tuple(metrics["metrics"][name].values())
        assert study.baseline[name].value == metrics["majority"][name]["value"]
    text = Page(page(manifest, study, Words("en"))).text
    for name in study.metrics:
        parts = [Words("en").number(metrics["metrics"][name][end]) for end in ("value", "low", "high")]
        assert f"{parts[0]} {parts[1]} – {parts[2]}" in text
    share = round(100 * metrics["metrics"]["accuracy"]["value"]) if "accuracy" in metrics["metrics"] else None
    assert share is None or f"about {share} " in text
    assert (task == "regression") == ("Predicted and true numbers" in text)


def test_a_model_that_is_no_better_than_a_constant_says_so(trained: dict[str, Path]) -> None:
    manifest, study = contents(trained["classification"])
    assert "Not intended" in card(manifest, study, Words("en"))
    assert "do not use it for anything" not in card(manifest, study, Words("en"))
    same = study.model_copy(update={"metrics": study.baseline, "better": None})
    assert "NOT shown to be better" in page(manifest, same, Words("en"))
    assert "NO está demostrado" in page(manifest, same, Words("es"))
    assert "do not use it for anything" in card(manifest, same, Words("en"))


@pytest.mark.parametrize("labels", [13, 77, 201, 1000])
def test_many_labels_stay_readable_and_small(labels: int, trained: dict[str, Path]) -> None:
    manifest, study = contents(trained["classification"])
    names = tuple(f"a_rather_long_label_of_a_bank_{k}" for k in range(labels))
    figures = next(iter(study.per_class.values()))
    confusion = tuple(tuple(3 if k == j else int((k * j) % 11 == 1) for j in range(labels + 1)) for k in range(labels))
    wide = study.model_copy(
        update={"per_class": dict.fromkeys(names, figures), "counts": dict.fromkeys(names, 60), "confusion": confusion}
    )
    written = page(manifest.model_copy(update={"labels": names}), wide, Words("en"))
    assert len(written.encode()) < MOST_BYTES
    assert ('class="heat"' in written) == (labels <= 200)
    Page(written)


def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("there is no Chromium here")
    return found


def flags(room: Path) -> list[str]:
    wanted = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    return [*(f"--{flag}" for flag in f"{wanted} disable-component-update disable-sync".split()), f"--user-data-dir={room}"]


@pytest.mark.parametrize(
    ("task", "width"), [("classification", 390), ("multilabel", 1100), ("hostile", 390), ("regression", 390)]
)
def test_a_browser_draws_it_and_nothing_is_wider_than_the_screen(
    trained: dict[str, Path], task: str, width: int, tmp_path: Path
) -> None:
    written = (trained[task] / "evidence" / "report.html").read_text("utf-8")
    # The page allows no script: it is measured without its policy.
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    assert policy.search(written)
    measure = (
        "<script>addEventListener('load',()=>{const wide=[...document.querySelectorAll('body *')]"
        ".filter(e=>!e.closest('.scroll')&&e.getBoundingClientRect().right>innerWidth+1).length;document.documentElement.dataset.found="
        "[document.documentElement.scrollWidth<=innerWidth,wide,document.querySelectorAll('section').length].join()})</script>"
    )
    room = tmp_path / "measured.html"
    room.write_text(policy.sub("", written).replace("</body>", f"{measure}</body>"), "utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe src="{room.as_uri()}" width="{width}" height="900"></iframe>'
        "<script>addEventListener('load',()=>setTimeout(()=>{document.body.dataset.found="
        "frames[0].document.documentElement.dataset.found},300))</script>",
        "utf-8",
    )
    options = [*flags(tmp_path / "user"), "--allow-file-access-from-files", "--virtual-time-budget=3000", "--dump-dom"]
    done = subprocess.run([browser(), *options, frame.as_uri()], capture_output=True, timeout=90, check=True)
    found = re.search(r'data-found="(\w+),(\d+),(\d+)"', done.stdout.decode())
    assert found, done.stdout.decode()[-500:]
    assert found[1] == "true", "the page is wider than the screen"
    assert found[2] == "0", "something is clipped at the side"
    assert int(found[3]) == written.count("<section")


def test_the_report_of_an_older_folder_says_what_it_does_not_know(trained: dict[str, Path]) -> None:
    manifest, study = contents(trained["classification"])
    bare = study.model_copy(update={"training": None, "foreign": None, "slices": (), "mistakes": ()})
    assert "does not say what was found" in page(manifest, bare, Words("en"))
    told = card(manifest, bare, Words("en"))
    assert "Not measured" in told
    assert "does not say how long it took" in told
    assert FILE not in told
