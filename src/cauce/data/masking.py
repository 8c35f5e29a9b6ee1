"""Words replaced by what a masked language model would write in their place. Needs torch and transformers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from cauce.data.alterations import how_many
from cauce.data.words import Words, in_case_of, is_negation
from cauce.errors import FileMissing, UnreadableData, need
from cauce.text.threads import run_all

CANDIDATES = 5  # the likeliest words, of which one is drawn
ROWS_A_CALL = 16
LONGEST = 512  # tokens; words behind stay as they are
_WORD_STARTS = ("Ġ", "▁")  # how some vocabularies mark a token that starts a word; others mark those that do not


class Masking:
    """A masked language model from a folder on this machine.

    Raises:
        MissingExtra: torch or transformers is not installed.
        FileMissing: no such folder.
        UnreadableData: the folder holds no masked language model with a fast tokenizer and safetensors.

    """

    def __init__(self, folder: Path) -> None:
        what = "a masked language model"
        self._torch: Any = need("torch", extra="train", what=what)
        transformers: Any = need("transformers", extra="train", what=what)
        if not folder.is_dir():
            raise FileMissing(f"there is no folder {folder}", hint="name the folder of a masked language model")
        local = {"local_files_only": True, "trust_remote_code": False}
        bars = transformers.utils.logging
        shown = bars.is_progress_bar_enabled()
        bars.disable_progress_bar()  # we have our own
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, **local)
            self._model: Any = transformers.AutoModelForMaskedLM.from_pretrained(folder, use_safetensors=True, **local).eval()
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).split("\n", 1)[0]
            raise UnreadableData(f"no masked language model can be read: {reason}", where=str(folder)) from None
        finally:
            if shown:
                bars.enable_progress_bar()
        if self._tokenizer.mask_token_id is None:
            raise UnreadableData("the tokenizer has no mask token", where=str(folder), hint="use an encoder, such as BERT")
        self._words = self._vocabulary()

    def alter(self, texts: list[str], randoms: list[Random], share: float) -> list[str]:
        """Each text with some of its words, but no negation, replaced. Fixed batches on one thread each: the same anywhere."""
        torch = self._torch
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            slices = [slice(start, start + ROWS_A_CALL) for start in range(0, len(texts), ROWS_A_CALL)]
            calls = [partial(self._altered, texts[part], randoms[part], share) for part in slices]
            return [text for part in run_all(calls) for text in part]
        finally:
            torch.set_num_threads(threads)

    def _altered(self, texts: list[str], randoms: list[Random], share: float) -> list[str]:
        mask = self._tokenizer.mask_token
        cut, places, masked = [], [], []
        for text, random in zip(texts, randoms, strict=True):
            words = Words.of(text)
            free = [] if mask in text else words.free()
            chosen = sorted(random.sample(free, min(how_many(share, len(words.words)), len(free))))
            cut.append(words)
            places.append(chosen)
            masked.append(words.joined(dict.fromkeys(chosen, mask)))
        likely = self._likely(masked)
        out = []
        for words, chosen, found, random in zip(cut, places, likely, randoms, strict=True):
            new = {}
            for place, candidates in zip(chosen, found, strict=False):  # fewer where the text was cut
                old = words.words[place]
                others = [word for word in candidates if word.lower() != old.lower()]
                new[place] = in_case_of(old, random.choice(others[:CANDIDATES])) if others else old
            out.append(words.joined(new))
        return out

    def _likely(self, texts: list[str]) -> list[list[list[str]]]:
        """For each mask of each text: the likeliest words, best first."""
        torch = self._torch
        longest = min(self._tokenizer.model_max_length, LONGEST)
        tokens = self._tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=longest)
        with torch.inference_mode():
            logits = self._model(**tokens).logits
        usable = torch.tensor(list(self._words))
        out: list[list[list[str]]] = []
        for ids, scores in zip(tokens["input_ids"], logits, strict=True):
            at = (ids == self._tokenizer.mask_token_id).nonzero().flatten()
            best = scores[at][:, usable].topk(min(CANDIDATES + 1, len(usable))).indices
            out.append([[self._words[int(usable[i])] for i in row] for row in best])
        return out

    def _vocabulary(self) -> dict[int, str]:
        """The tokens that are a whole word of letters and no negation, by number."""
        numbers = self._tokenizer.get_vocab()
        marked = any(token.startswith(_WORD_STARTS) for token in numbers)
        special = set(self._tokenizer.all_special_ids)
        words = {}
        for token, number in sorted(numbers.items(), key=lambda pair: pair[1]):
            if number in special or (marked and not token.startswith(_WORD_STARTS)):
                continue
            word = self._tokenizer.convert_tokens_to_string([token]).strip() if marked else token
            if word.isalpha() and not is_negation(word):
                words[number] = word
        return words
