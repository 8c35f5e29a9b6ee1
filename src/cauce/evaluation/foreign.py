"""How a model answers in languages that it was not trained on: it always answers, and this measures how sure it then is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict

from cauce.model.model import Model

KNOWN_SHARE = 0.05  # of the training rows, from which a language counts as known
TOLD = ("es", "en")  # the others are all told as "other"

# Six everyday sentences, the same in each language.
SENTENCES: dict[str, tuple[str, ...]] = {
    "es": (
        "El pedido llegó ayer por la tarde", "No funciona desde el lunes", "¿Dónde puedo cambiar mi dirección?",
        "Todo está muy bien, gracias", "La tienda abre a las nueve", "Nadie contesta el teléfono",
    ),
    "en": (
        "The order came yesterday afternoon", "It has not worked since Monday", "Where can I change my address?",
        "Everything is very good, thank you", "The shop opens at nine", "Nobody answers the telephone",
    ),
    "fr": (
        "La commande est arrivée hier après-midi", "Ça ne marche plus depuis lundi", "Où puis-je changer mon adresse ?",
        "Tout est très bien, merci", "Le magasin ouvre à neuf heures", "Personne ne répond au téléphone",
    ),
    "pt": (
        "O pedido chegou ontem à tarde", "Não funciona desde segunda-feira", "Onde posso mudar o meu endereço?",
        "Está tudo muito bem, obrigado", "A loja abre às nove", "Ninguém atende o telefone",
    ),
    "de": (
        "Die Bestellung kam gestern Nachmittag an", "Es funktioniert seit Montag nicht", "Wo kann ich meine Adresse ändern?",
        "Alles ist sehr gut, danke", "Der Laden öffnet um neun", "Niemand geht ans Telefon",
    ),
    "ru": (
        "Заказ пришёл вчера днём", "Не работает с понедельника", "Где я могу изменить адрес?",
        "Всё очень хорошо, спасибо", "Магазин открывается в девять", "Никто не отвечает на телефон",
    ),
    "zh": ("订单昨天下午到了", "从星期一起就坏了", "我在哪里可以更改地址?", "一切都很好,谢谢", "商店九点开门", "没有人接电话"),
    "ar": (
        "وصل الطلب أمس بعد الظهر", "لا يعمل منذ يوم الاثنين", "أين يمكنني تغيير عنواني؟",
        "كل شيء جيد جدا، شكرا", "يفتح المتجر في التاسعة", "لا أحد يرد على الهاتف",
    ),
}  # fmt: skip


class Foreign(BaseModel):
    """Answers to `SENTENCES` in languages that the training hardly had.

    Attributes:
        languages: codes (ISO 639-1).
        texts: how many were asked.
        label: the one that was given most, and to which share of the texts.
        score: the median score of the best label; `own`: the same on the rows that were measured.

    """

    model_config = ConfigDict(frozen=True)

    languages: tuple[str, ...]
    texts: int
    label: str
    share: float
    score: float
    own: float


def foreign(model: Model, trained_on: Mapping[str, int], own: float) -> Foreign | None:
    """Ask the sentences of every language that is not known; None where there is nothing to ask or no score to read.

    Args:
        trained_on: rows by code of `cauce.data.language`.
        own: the median score of the best label on the rows that were measured.

    """
    counts = {code: count for code, count in trained_on.items() if code in (*TOLD, "other")}
    known = {code for code, count in counts.items() if count >= KNOWN_SHARE * sum(counts.values())}
    asked = [code for code in SENTENCES if (code if code in TOLD else "other") not in known]
    if model.task == "regression" or [one.type for one in model.manifest.inputs] != ["text"] or not known or not asked:
        return None
    answers = model.predict([text for code in asked for text in SENTENCES[code]])
    label, count = Counter(model.labels[place] for place in answers.best).most_common(1)[0]
    score = float(np.median(answers.scores.max(axis=1)))
    return Foreign(languages=tuple(asked), texts=len(answers), label=label, share=count / len(answers), score=score, own=own)
