"""The language of a text: es, en, other, mixed, or unknown where too little speaks for any.

Judged by the words that every sentence needs (articles, pronouns, forms of "to be"), and, where these are few, by the
endings and letters of the rest. No model, no download; `benchmarks/language.py` says how often it is right.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import lru_cache
from typing import Literal

import numpy as np
import pyarrow as pa

Language = Literal["es", "en", "other", "mixed", "unknown"]
LANGUAGES: tuple[Language, ...] = ("es", "en", "other", "mixed", "unknown")

SAMPLE = 20_000  # rows that shares are counted on
LEAST = 1.0  # evidence for a language
LEAD = 1.0  # evidence over the next one
MIXED_WORDS, MIXED_SHARE = 2, 0.35  # words and share of the evidence that the second language has in a mixed text
STRANGE_LETTERS = 0.3  # share of letters of another alphabet

WORDS = {
    "es": """el la los las lo un una unos unas de del al y e o u que qué en es son está están estoy estás estaba era eres soy
        fue fui ser sido hay ha han he has con por para porque pero si sí no ni ya muy más mas menos mi mis me te se le les
        su sus tu tus yo él ella ellos nos nosotros usted ustedes vos esto esta este estos estas eso esa ese esos esas cómo
        como cuando cuándo donde dónde quien quién cual todo toda todos todas nada algo alguien nadie siempre nunca ahora
        hoy ayer mañana bien mal mejor peor bueno buena buen gracias también tambien así asi solo sólo tan tanto hasta
        desde entre sobre sin aunque mientras entonces pues aquí acá ahí allí tengo tiene tienes quiero quiere puede puedo
        hacer hace voy va van vamos a mucho mucha muchos otro otra cada día dia días años vida gente casa creo sé dice
        hola jaja jajaja q xq pq tb estar parece gusta encanta días ver sea fin vez dos tres""",
    "en": """the a an of and or to in is are was were be been am i you he she it we they me him her us them my your his its
        our their this that these those what who when where why how which with for from by on at as but if not no so do
        does did done don't doesn't didn't can can't could would should will won't just have has had having there here
        all some any more most very too than then now today tomorrow tonight yesterday never always ever really good bad
        best better great like love want need know think see get got go going one two new about out up down off over
        after before because into only also even still back much many people time day night year i'm it's you're that's
        i've i'll can't isn't aren't wasn't let's make made say says said come look right why u ur lol im dont gonna
        please thanks thank hello happy first last next every other while via""",
    "pt": """o os a as um uma uns umas de do da dos das em no na nos nas e é são foi era não nao que com para por pra pelo
        pela mais mas se eu você voce vc ele ela eles nós isso isto este esta esse essa aqui muito muita meu minha seu sua
        já também tambem só quando como onde quem todo toda tudo hoje amanhã agora bem mal tem tenho ter fazer vai vou
        está estou estão ao à até sem sobre depois então coisa dia gente""",
    "fr": """le la les un une des du de d l et ou où est sont était être suis es il elle on nous vous ils elles je j tu me
        te se ce cette ces ça c qui que quoi qu pas ne n plus moins très avec pour par dans sur sous mais si oui non mon
        ma mes ton ta son sa ses notre votre leur au aux en y a ont ai as avoir fait faire bien tout tous toute comme
        quand aussi même jour c'est j'ai""",
    "it": """il lo la i gli le un uno una di del della dei delle da dal dalla in nel nella con su per tra fra e o ma se che
        chi non è sono era siamo sei ho hai ha hanno mi ti si ci vi io tu lui lei noi voi loro mio mia tuo sua questo
        questa quello come quando dove perché più meno molto anche solo già ora oggi bene male cosa tutto tutti fare
        grazie""",
    "de": """der die das den dem des ein eine einen einem einer und oder ist sind war waren sein bin bist ich du er sie es
        wir ihr mich dich mir dir nicht kein keine mit von zu zum zur für auf aus bei nach über unter an im am in aber
        wenn dass weil wie was wer wo warum auch noch nur schon sehr mehr so hat habe haben wird werden kann mein dein
        heute morgen gut""",
    "ca": """el la els les un una uns unes de del dels al als i o que què en és són està estic era ser amb per perquè però
        si no ni ja molt més menys el meva meu seva seu jo tu ell ella nosaltres això aquest aquesta aquests com quan on
        qui tot tota tots res sempre mai ara avui demà bé gràcies també només fins des entre sobre sense""",
}
ENDINGS = {
    "es": r".+(?:ción|ciones|mente|ando|iendo|[ai]d[oa]s?|it[oa]|os[oa]|eza|aron|ieron|aban?|[ae]mos|dad|[aeo]s)$"
    r"|.*(?:[áíóú]|.ñ|.rr[aeio]|ll[aeo]).*",
    "en": r".+(?:ing|tion|ly|ed|ness|ment|ght|tch|ck|ss|ow|ay|ey|oo\w|ee\w|th|sh|n't|'s|y)$|(?:wh|th|sh|kn|w)\w+",
}
WORD_EVIDENCE, ENDING_EVIDENCE = 1.0, 0.4
MARKS = {"¿": 1.5, "¡": 1.5, "ñ": 1.0}

_SETS = {code: frozenset(words.split()) for code, words in WORDS.items()}
_ENDINGS = {code: re.compile(pattern) for code, pattern in ENDINGS.items()}
_LEFT_OUT = re.compile(r"https?\S*|www\.\S+|[@#]\w+|\brt\b")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_LATIN = re.compile(r"[a-zà-öø-ɏḀ-ỿ]")


def language(text: str) -> Language:
    """The language of a text."""
    bare = _LEFT_OUT.sub(" ", text.lower())
    words = [word.replace("’", "'") for word in _TOKEN.findall(bare)]
    letters = sum(map(len, words))
    if not letters:
        return "unknown"
    if len(_LATIN.findall(bare)) < (1 - STRANGE_LETTERS) * letters:
        return "other"
    evidence: dict[str, float] = defaultdict(float)
    told: Counter[str] = Counter()  # words that speak for one of es and en only
    for word in words:
        found = _spoken(word)
        for code, weight in found:
            evidence[code] += weight
        if len(found) == 1 and found[0][1] == WORD_EVIDENCE:
            told[found[0][0]] += 1
    evidence["es"] += sum(weight for mark, weight in MARKS.items() if mark in bare)
    (first, most), (second, next_most) = [*sorted(evidence.items(), key=lambda one: -one[1])[:2], ("", 0.0), ("", 0.0)][:2]
    if most < LEAST:
        return "unknown"
    if (
        {first, second} == {"es", "en"}
        and min(told["es"], told["en"]) >= MIXED_WORDS
        and next_most > MIXED_SHARE * (most + next_most)
    ):
        return "mixed"
    if most - next_most < min(LEAD, most / 4):
        return "unknown"
    return first if first in ("es", "en") else "other"  # type: ignore[return-value]


@lru_cache(maxsize=100_000)
def _spoken(word: str) -> tuple[tuple[str, float], ...]:
    """The languages that a word speaks for, and how much."""
    known = tuple((code, WORD_EVIDENCE) for code, words in _SETS.items() if word in words)
    return known or tuple((code, ENDING_EVIDENCE) for code, ending in _ENDINGS.items() if ending.match(word))


def languages(texts: pa.Array, *, sample: int = SAMPLE) -> dict[int, Language]:
    """The language of each text by its row; of more than `sample` texts, of so many drawn at random."""
    size = len(texts)
    rows = np.arange(size) if size <= sample else np.sort(np.random.default_rng(0).permutation(size)[:sample])
    return {int(row): language(text or "") for row, text in zip(rows, texts.take(pa.array(rows)).to_pylist(), strict=True)}
