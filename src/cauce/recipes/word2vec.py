"""Word vectors from texts: CBOW or skip-gram with negative sampling (Mikolov et al., 2013), by gensim."""

from __future__ import annotations

import gzip
import os
import secrets
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cauce.errors import EmptyData, need, writing
from cauce.recipes.vectors import Vectors


class Word2Vec(BaseModel):
    """How vectors are trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    skip_gram: bool = Field(False, description="Each word foretells its neighbors; else (CBOW) they foretell it.")
    size: int = Field(100, ge=1, le=4096, description="Numbers of a vector.")
    window: int = Field(5, ge=1, description="Neighbors on each side.")
    epochs: int = Field(10, ge=1, description="Passes over the texts.")
    least: int = Field(2, ge=1, description="Rarer words get no vector.")
    negative: int = Field(10, ge=1, description="Words drawn against each neighbor.")
    seed: int = Field(0, ge=0, description="The same texts and seed give the same vectors.")


def train(texts: list[list[str]], how: Word2Vec, source: str) -> Vectors:
    """Vectors of the words of texts, the most frequent word first. On one thread, so that the same texts give the same vectors.

    Args:
        texts: the words of each.
        source: where they are from, for messages.

    Raises:
        EmptyData: no word stands in them as often as `how.least`.
        MissingExtra: gensim is not installed.

    """
    gensim = need("gensim.models", extra="word2vec", what="training word vectors")
    model = gensim.Word2Vec(
        vector_size=how.size,
        window=how.window,
        min_count=how.least,
        sg=int(how.skip_gram),
        negative=how.negative,
        epochs=how.epochs,
        seed=how.seed,
        workers=1,
    )
    model.build_vocab(texts)
    if not len(model.wv):
        raise EmptyData(
            f"no word stands {how.least} times in {source}", hint="give more texts, or keep rarer words with --least"
        )
    model.train(texts, total_examples=model.corpus_count, epochs=how.epochs)
    return Vectors(tuple(model.wv.index_to_key), np.asarray(model.wv.vectors, np.float32), source)


def save(vectors: Vectors, out: Path) -> None:
    """Write vectors as word2vec text, packed where the name ends in `.gz`; the file appears when it is whole.

    Raises:
        CannotWrite, StorageFull

    """
    lines = [f"{len(vectors.words)} {vectors.table.shape[1]}"]
    for word, row in zip(vectors.words, vectors.table.tolist(), strict=True):
        lines.append(f"{word} {' '.join(f'{value:.6g}' for value in row)}")
    content = "".join(f"{line}\n" for line in lines).encode()
    aside = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        with writing(out):
            with aside.open("xb") as file:
                file.write(gzip.compress(content, mtime=0) if out.suffix == ".gz" else content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
