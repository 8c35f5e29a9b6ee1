"""Where the LSTM's token vectors come from, and the tokenizer that goes with them.

- `learnt`: drawn at random; the tokens are pieces of words (byte pair encoding) made from the training texts.
- `cbow`, `skip-gram`: the same tokens, their vectors trained from the training texts by gensim.
- an encoder (`minilm`, a folder, a hub id): its tokens, and the principal components of its token vectors.
- a file of word vectors: the tokens are words, those of the training texts and the file's most frequent ones.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from cauce.errors import EmptyData
from cauce.recipes import encoder, vectors, word2vec
from cauce.recipes.vector_files import Floats
from cauce.text.words import WORD

PAD, UNKNOWN = "[PAD]", "[UNK]"
TRAINED = {"learnt": None, "cbow": False, "skip-gram": True}  # and whether by skip-gram
SPREAD = 0.3  # deviation of vectors that were trained before: a scale that an LSTM's first steps go well with
RANDOM = 0.1  # of those that were not
LEAST = 2  # times that a word or a piece must stand in the texts
FREQUENT = 20_000  # of a file's first words that are kept beside those of the texts


@dataclass(frozen=True)
class Embeddings:
    """A tokenizer and the vectors that its tokens begin with.

    Attributes:
        tokenizer: a `tokenizer.json`, without padding and truncation.
        table: (tokens, width).
        unknown: the token for what is in no vocabulary.
        notes: how much of the texts the vectors cover, in words.

    """

    tokenizer: bytes
    table: Floats
    unknown: int
    notes: tuple[str, ...] = ()


def embeddings(source: str, texts: pa.Array, *, width: int, vocabulary: int, seed: int) -> Embeddings:
    """Make them for normalized texts.

    Args:
        source: see above.
        width: numbers of a vector; those of a file have as many as the file says.
        vocabulary: most pieces of words.

    Raises:
        FileMissing, UnreadableData, LineTooLong: of a file; see `vectors.read`.
        NotAnEncoder, PickleRefused, Unavailable: of an encoder; see `encoder.resolve`.
        MissingExtra: gensim, or the packaged MiniLM, is not installed.
        EmptyData: the texts have no words, or the file none of them.

    """
    if source in TRAINED:
        return _trained(TRAINED[source], texts, width, vocabulary, seed)
    if Path(source).is_file() or Path(source).suffix:
        return _of_file(Path(source), texts, seed)
    return _of_encoder(source, width)


def _trained(skip_gram: bool | None, texts: pa.Array, width: int, vocabulary: int, seed: int) -> Embeddings:
    engine = tokenizers.Tokenizer(models.BPE(unk_token=UNKNOWN))
    # A mark where a word begins; the trainer's own marks (prefix and suffix) make it draw lots between equal pieces.
    mark = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    engine.pre_tokenizer = pre_tokenizers.Sequence([_splitter(), mark])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, min_frequency=LEAST, special_tokens=[PAD, UNKNOWN], show_progress=False
    )
    engine.train_from_iterator(texts.to_pylist(), trainer)
    table = _drawn(engine.get_vocab_size(), width, seed)
    if skip_gram is not None:
        sentences = [found.tokens for found in engine.encode_batch(texts.to_pylist())]
        how = word2vec.Word2Vec(skip_gram=skip_gram, size=width, least=1, seed=seed)
        trained = word2vec.train(sentences, how, "the training texts")
        known = engine.get_vocab()
        table[[known[token] for token in trained.words]] = _scaled(trained.table)
    return _finished(engine, table)


def _of_file(path: Path, texts: pa.Array, seed: int) -> Embeddings:
    splitter = _splitter()
    counts = Counter(chain.from_iterable((word for word, _ in splitter.pre_tokenize_str(text)) for text in texts.to_pylist()))
    found = vectors.read(path, counts, FREQUENT)
    if not any(word in counts for word in found.words):
        raise EmptyData(f"{path} has no vector of any word of the texts", hint="are they of the same language?")
    words = dict.fromkeys([*found.words, *sorted(word for word, count in counts.items() if count >= LEAST)])
    known = {word: number for number, word in enumerate([PAD, UNKNOWN, *(w for w in words if w not in (PAD, UNKNOWN))])}
    engine = tokenizers.Tokenizer(models.WordLevel(known, unk_token=UNKNOWN))
    engine.pre_tokenizer = splitter
    engine.add_special_tokens([PAD, UNKNOWN])
    table = _drawn(len(known), found.table.shape[1], seed)
    table[[known[word] for word in found.words]] = _scaled(found.table)
    return _finished(engine, table, found.coverage(counts))


def _of_encoder(base: str, width: int) -> Embeddings:
    place = encoder.resolve(base)
    net: Any = encoder.load(place)
    table: Floats = net.get_input_embeddings().weight.detach().numpy()
    engine = tokenizers.Tokenizer.from_buffer(encoder.tokenizer(place))
    return _finished(engine, _scaled(_principal(table, width)))


def _finished(engine: Any, table: Floats, *notes: str) -> Embeddings:
    unknown = engine.token_to_id(engine.model.unk_token) if hasattr(engine.model, "unk_token") else None
    return Embeddings(engine.to_str().encode(), table, unknown or 0, notes)


def _splitter() -> Any:
    return pre_tokenizers.Split(tokenizers.Regex(WORD), "removed", invert=True)


def _drawn(tokens: int, width: int, seed: int) -> Floats:
    return (np.random.default_rng(seed).standard_normal((tokens, width)) * RANDOM).astype(np.float32)


def _scaled(table: Floats) -> Floats:
    """Centered, with the deviation that the LSTM wants."""
    centered = table - table.mean(axis=0)
    found: Floats = (centered * (SPREAD / (float(centered.std()) or 1.0))).astype(np.float32)
    return found


def _principal(table: Floats, width: int) -> Floats:
    """The vectors in their principal components, the first `width` of them."""
    if width >= table.shape[1]:
        return table
    centered = (table - table.mean(axis=0)).astype(np.float64)
    _, directions = np.linalg.eigh(centered.T @ centered)
    found: Floats = (centered @ directions[:, ::-1][:, :width]).astype(np.float32)
    return found
