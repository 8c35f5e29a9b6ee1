"""Near duplicates: texts that differ by a typo, a link, a mention, accents, case, spaces, punctuation or emoji.

Each text has a key: its letters and digits, folded. Equal keys are near duplicates; so are keys that few edits make equal.
Candidates share a bucket: the minima of hashed shingles (long keys), or the key with one character left out (short ones).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cauce.data import shingles
from cauce.data.dataset import Dataset
from cauce.text.normalize import Normalizer
from cauce.text.threads import run_sliced

Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint32] | npt.NDArray[np.uint64]

CARRIED = r"\brt @user\b|\bvia @user\b|@user\b|\bhtt?p\b"  # what a message carries beside its words; "htp": a masked link, cut
WHOLE = "="  # stands before the key of a short text
USUAL, USUAL_SHARE = 3, 5000  # different texts, at least and one in so many, with a word that is then no typo
SMALLEST_SLICE = 512  # keys
SORTED_AT_ONCE = 4_000_000  # hashes: sorting takes several times their memory
MULTIPLIERS = np.random.default_rng(0).integers(0, 2**31, shingles.BANDS * shingles.BAND_ROWS).astype(np.uint32) * 2 + 1


@dataclass(frozen=True)
class Overlap:
    """What of a second dataset a first one holds already.

    Attributes:
        exact: (n,) rows of the second that stand in the first as they are.
        near: (m,) rows of the second, not in `exact`, with a near duplicate in the first.
        partners: (n + m,) for each of these, in this order, a row of the first.

    """

    exact: Integers
    near: Integers
    partners: Integers


def same(column: pa.Array) -> Integers:
    """Groups of equal values, (n,): for each row the first row with its value. Nulls are equal."""
    codes = pc.fill_null(column.dictionary_encode(null_encoding="encode").indices, -1).to_numpy(zero_copy_only=False)
    return _first_rows(codes.astype(np.int64))


def same_rows(rows: pa.RecordBatch) -> Integers:
    """Groups of rows that are equal in every column, (n,): for each row the first one like it."""
    codes = np.stack([same(column) for column in rows.columns], axis=1)
    _, first, places = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    return first[places.ravel()].astype(np.int64)


def near(texts: pa.Array) -> Integers:
    """Groups of near duplicates, (n,): for each row the smallest row of its group, itself where it is alone.

    Each member was compared with one and the same text of its group. The partition depends on the texts alone, not on
    their order or on threads.

    Args:
        texts: (n,) strings; a null is never a duplicate.

    """
    if not len(texts):
        return np.zeros(0, np.int64)
    encoded = keys(texts).dictionary_encode()
    codes = pc.fill_null(encoded.indices, len(encoded.dictionary)).to_numpy(zero_copy_only=False).astype(np.int64)
    missing = np.flatnonzero(codes == len(encoded.dictionary))
    codes[missing] += np.arange(len(missing))
    if len(encoded.dictionary):
        leaders = _leaders(encoded.dictionary, np.bincount(codes, minlength=len(encoded.dictionary)))
        known = codes < len(leaders)
        codes[known] = leaders[codes[known]]
    return _first_rows(codes)


def overlap(first: Dataset, second: Dataset) -> Overlap:
    """Which rows of `second` stand in `first`: by their texts; in a table without any, by all columns, exactly only."""
    edge = len(first)
    if first.has_text:
        both = pa.concat_arrays([data.texts().cast(pa.large_string()) for data in (first, second)])
        exact, alike = same(both), near(both)
    else:
        exact = alike = same_rows(pa.concat_batches([first.rows, second.rows.cast(first.rows.schema)]))
    found = np.flatnonzero(exact[edge:] < edge)
    others = np.flatnonzero((alike[edge:] < edge) & (exact[edge:] >= edge))
    return Overlap(found, others, np.concatenate([exact[edge + found], alike[edge + others]]))


def groups(data: Dataset) -> Integers:
    """For each row the first one that says the same: near duplicates; in a table without texts, equal rows."""
    return near(data.texts()) if data.has_text else same_rows(data.rows)


def keys(texts: pa.Array) -> pa.Array:
    """What near duplicates have in common: letters and digits without accents, in lower case, one space between words.

    A text with few of them keeps its punctuation, emoji, links and mentions, behind the mark `WHOLE`: there they are what
    it says, and an edit may make another text of it.
    """
    folded = _folded(Normalizer(repeats=1).apply(texts))
    bare = pc.replace_substring_regex(folded, CARRIED, " ")
    bare = pc.replace_substring_regex(bare, r"['’´`]", "")
    bare = pc.utf8_trim_whitespace(pc.replace_substring_regex(bare, r"[^\p{L}\p{N}\p{Sc}%]+", " "))
    short = pc.less(pc.utf8_length(bare), shingles.SHORTEST)
    few = _folded(Normalizer(urls=False, users=False, repeats=2).apply(texts.filter(pc.fill_null(short, False))))
    return pc.replace_with_mask(bare, short, pc.utf8_replace_slice(few, 0, 0, WHOLE))


def _folded(texts: pa.Array) -> pa.Array:
    """Without accents and other marks on letters."""
    return pc.replace_substring_regex(pc.utf8_normalize(texts, form="NFKD"), r"\p{M}+", "").cast(pa.large_string())


def _leaders(distinct: pa.Array, copies: Integers) -> Integers:
    """For each different key the key that leads its group."""
    size = len(distinct)
    order = np.lexsort((pc.rank(distinct).to_numpy(), -copies[:size]))  # the same for any order of the rows
    listed = distinct.take(pa.array(order))
    offsets = np.zeros(size + 1, np.int64)
    np.cumsum(pc.utf8_length(listed).to_numpy(zero_copy_only=False), out=offsets[1:])
    chars = np.frombuffer("".join(listed.to_pylist()).encode("utf-32-le"), np.uint32)
    starts, buckets, count = _buckets(chars, offsets)
    leaders = np.empty(size, np.int64)
    shingles.lead(chars, offsets, starts, buckets, count, _usual(chars, offsets), leaders)
    out = np.empty(size, np.int64)
    out[order] = order[leaders]
    return out


def _usual(chars: npt.NDArray[np.uint32], offsets: Integers) -> npt.NDArray[np.uint32]:
    """The sorted hashes of the words that come often enough to be no typos."""
    hashes = np.empty(shingles.word_hashes(chars, offsets, np.empty(0, np.uint32)), np.uint32)
    shingles.word_hashes(chars, offsets, hashes)
    found, counts = np.unique(hashes, return_counts=True)
    return found[counts >= max(USUAL, len(offsets) / USUAL_SHARE)]


def _buckets(chars: npt.NDArray[np.uint32], offsets: Integers) -> tuple[Integers, Integers, int]:
    """The buckets of each key, one key's after the other's: where they start, the buckets, how many there are.

    A bucket holds keys that share a hash; what only one key has is left out.
    """
    sizes = np.where(chars[offsets[:-1]] == ord(WHOLE), 0, np.diff(offsets))
    long = np.flatnonzero(sizes > shingles.SHORT)
    short = np.flatnonzero((sizes >= shingles.SHORTEST) & (sizes <= shingles.SHORT + 1))
    found: list[tuple[Integers, Integers]] = []
    count = 0
    hashed: list[tuple[Integers, Hashes]] = [*_signed(chars, offsets, long), *_deleted(chars, offsets, short)]
    for owners, hashes in hashed:
        _, places, shared = np.unique(hashes, return_inverse=True, return_counts=True)
        kept = np.cumsum(shared > 1) - 1 + count
        here = shared[places] > 1
        found.append((owners[here], kept[places[here]]))
        count += int((shared > 1).sum())
    owners = np.concatenate([owners for owners, _ in found])
    buckets = np.concatenate([buckets for _, buckets in found])
    order = np.argsort(owners, kind="stable")
    starts = np.searchsorted(owners[order], np.arange(len(sizes) + 1))
    return starts, buckets[order], count


def _signed(chars: npt.NDArray[np.uint32], offsets: Integers, long: Integers) -> list[tuple[Integers, Hashes]]:
    """A hash for each long key in each band."""
    bands = np.empty((shingles.BANDS, len(long)), np.uint32)
    run_sliced(
        lambda start, end: shingles.sign(chars, offsets, long, start, end, MULTIPLIERS, bands), len(long), SMALLEST_SLICE
    )
    return [(long, hashes) for hashes in bands]


def _deleted(chars: npt.NDArray[np.uint32], offsets: Integers, short: Integers) -> list[tuple[Integers, Hashes]]:
    """Several hashes for each short key."""
    counts = (offsets[1:] - offsets[:-1])[short] + 1
    ends = np.cumsum(counts)
    hashes = np.empty(int(counts.sum()), np.uint64)
    shingles.delete(chars, offsets, short, ends, hashes)
    owners = np.repeat(short, counts)
    parts = (hashes % np.uint64(1 + len(hashes) // SORTED_AT_ONCE)).astype(np.int64)  # equal hashes stay together
    return [(owners[parts == part], hashes[parts == part]) for part in range(parts.max(initial=0) + 1)]


def _first_rows(codes: Integers) -> Integers:
    """For each row the first row with its code."""
    _, first, places = np.unique(codes, return_index=True, return_inverse=True)
    return first[places].astype(np.int64)
