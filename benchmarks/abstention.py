"""No answer where the model is unsure, on clinc150: 150 intents, and questions that are none of them (out of scope).

The linear recipe learns the 150 intents. The lowest score is chosen on val by `cauce.evaluation.abstention`: on the intents
alone, and on the intents together with val's 100 out-of-scope rows, which are wrong whatever label they get. Without `--final`
it is chosen on one half of val and measured on the other; with it the test part is read, and the file counts how often.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from machine import machine

import cauce
from cauce.evaluation.abstention import WANTED, Right, Scores, choose, measure

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data" / "clinc150"
RESULT = ROOT / "benchmarks" / "results" / "abstention.json"

Rows = list[list[str]]


def answers(model: cauce.Model, rows: Rows) -> tuple[Right, Scores]:
    """Which rows got the right label, and how sure the model was. No label of the model is right out of scope."""
    given = model.predict([text for text, _ in rows])
    best = np.array([answer.label or "" for answer in given])
    right: npt.NDArray[np.bool_] = best == np.array([intent for _, intent in rows])
    return right, given.scores.max(axis=1)


def halves(rows: Rows) -> tuple[Rows, Rows]:
    """Two halves at random."""
    order = np.random.default_rng(0).permutation(len(rows))
    return [rows[i] for i in order[::2]], [rows[i] for i in order[1::2]]


def table(model: cauce.Model, dev: tuple[Rows, Rows], measured: tuple[Rows, Rows]) -> dict[str, object]:
    """For each way to choose and each precision: what comes of the score. Parts are (in scope, out of scope)."""
    found: dict[str, object] = {}
    inside, outside = answers(model, measured[0]), answers(model, measured[1])
    for way, chosen_on in (("in scope", dev[0]), ("in and out of scope", dev[0] + dev[1])):
        right, sure = answers(model, chosen_on)
        for precision in WANTED:
            score = choose(right, sure, precision)
            if score is None:
                found[f"{way}, {precision:.0%}"] = None
                continue
            both = tuple(np.concatenate(pair) for pair in zip(inside, outside, strict=True))
            found[f"{way}, {precision:.0%}"] = {
                "min_score": round(score, 4),
                "in_scope": _rounded(measure(*inside, score).as_dict()),
                "all_rows": _rounded(measure(*both, score).as_dict()),
                "out_of_scope_rejected": round(1 - measure(*outside, score).coverage.value, 4),
                "out_of_scope_rejected_interval": [
                    round(1 - end, 4) for end in (measure(*outside, score).coverage.high, measure(*outside, score).coverage.low)
                ],
            }
    return {
        "rows": {"in_scope": len(measured[0]), "out_of_scope": len(measured[1])},
        "accuracy_in_scope": round(float(inside[0].mean()), 4),
        "thresholds": found,
    }


def _rounded(part: dict[str, object]) -> dict[str, list[float] | None]:
    """Value, low and high of coverage and precision."""
    return {
        name: None if (figure := part[name]) is None else [round(figure[end], 4) for end in ("value", "low", "high")]  # type: ignore[index]
        for name in ("coverage", "precision")
    }


def main() -> None:
    """Train, choose, measure and write the table."""
    final = "--final" in sys.argv
    files = sorted(DATA.glob("*.json"))
    if not files:
        sys.stdout.write("the real data are not here: nothing measured\n")
        return
    parts = json.loads(files[0].read_text("utf-8"))
    with tempfile.TemporaryDirectory() as room:
        paths = {}
        for part in ("train", "val"):
            paths[part] = Path(room) / f"{part}.jsonl"
            lines = (json.dumps({"text": text, "label": intent}) + "\n" for text, intent in parts[part])
            paths[part].write_text("".join(lines), encoding="utf-8")
        run = cauce.train(paths["train"], dev=paths["val"], out=f"{room}/model")
        if final:
            chosen, measured = (parts["val"], parts["oos_val"]), (parts["test"], parts["oos_test"])
        else:
            (chosen, measured) = zip(halves(parts["val"]), halves(parts["oos_val"]), strict=True)  # type: ignore[assignment]
        row = table(run.model, chosen, measured)
    before = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    result = {
        **{part: before[part] for part in ("dev", "test") if part in before},
        "test" if final else "dev": row,
        "times_test_was_read": before.get("times_test_was_read", 0) + final,
        **machine("numpy"),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(row, indent=2) + "\n")


if __name__ == "__main__":
    main()
