"""The language of short texts."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cauce.data.language import language, languages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("me encanta, llegó antes de tiempo", "es"),
        ("¡Qué susto! ¿Viste eso?", "es"),
        ("it broke after a day", "en"),
        ("I can't believe this is happening", "en"),
        ("não gosto disso, você sabe", "other"),
        ("c'est très bien pour nous", "other"),
        ("Ich habe das nicht gesehen", "other"),
        ("Это очень хорошо", "other"),
        ("I love this song pero la verdad es que no me gusta the video", "mixed"),
        ("ok", "unknown"),
        ("@user https://t.co/x #foo 123 😀", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_language_of_a_text(text: str, expected: str) -> None:
    assert language(text) == expected


@pytest.mark.parametrize(("folder", "code", "least"), [("umsab/spanish", "es", 0.96), ("umsab/english", "en", 0.94)])
def test_real_tweets(real_data, folder: str, code: str, least: float) -> None:
    texts = real_data(f"{folder}/test_text.txt").read_text(encoding="utf-8").split("\n")[:-1]
    said = [language(text) for text in texts]
    assert said.count(code) >= least * len(texts)
    assert len(said) - said.count(code) - said.count("unknown") <= 0.005 * len(texts)  # rather unknown than wrong


def test_of_many_texts_a_sample_is_judged() -> None:
    assert languages(pa.array(["this is it"] * 50), sample=10).keys() <= set(range(50))
    assert list(languages(pa.array(["this is it"] * 50), sample=10).values()) == ["en"] * 10
