"""The report: one HTML file that needs no network and no script, for people who ask what a model is worth."""

from __future__ import annotations

from importlib import resources

from cauce.evaluation import charts
from cauce.evaluation.markup import escaped, isolated
from cauce.evaluation.sections import SECTIONS
from cauce.evaluation.sentences import headline, measured, things, usual, verdict
from cauce.evaluation.study import Study
from cauce.evaluation.words import Words
from cauce.model.manifest import Manifest

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(manifest: Manifest, study: Study, words: Words) -> str:
    """The whole page, in the language of the words."""
    sections = [section for make in SECTIONS for section in make(manifest, study, words)]
    heads = {name: escaped(_head(name, manifest, words)) for name, _ in sections}
    links = "".join(f'<li><a href="#{name}">{head}</a></li>' for name, head in heads.items())
    bodies = "".join(
        f'<section id="{name}" aria-labelledby="{name}-head"><h2 id="{name}-head">{heads[name]}</h2>{content}</section>'
        for name, content in sections
    )
    title = words("title", name=manifest.name)
    return (
        f'<!doctype html>\n<html lang="{words.language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<meta name="robots" content="noindex"><title>{escaped(title)}</title>'
        f"<style>{resources.files('cauce.evaluation').joinpath('report.css').read_text('utf-8')}</style></head><body>"
        f'<header><h1>{isolated(title)} <span class="small">{escaped(manifest.version[:12])}</span></h1>'
        f'{_hero(manifest, study, words)}<nav aria-label="{escaped(words("contents"))}"><ul>{links}</ul></nav></header>'
        f"<main>{bodies}</main><footer></footer></body></html>\n"
    )


def _head(name: str, manifest: Manifest, words: Words) -> str:
    """The head of a section, that of the task where it has its own."""
    own = f"section.{name}.{manifest.task}"
    return words(own if own in words else f"section.{name}")


def _hero(manifest: Manifest, study: Study, words: Words) -> str:
    charted = ""
    if "accuracy" in study.metrics:
        base = words("waffle.usual", usual=study.usual) if study.usual else words("waffle.usual.none")
        pairs = ((study.metrics["accuracy"], words("waffle.ours")), (study.baseline["accuracy"], base))
        charted = '<div><div class="waffles">' + "".join(
            f"<figure>{charts.waffle(figure, words('waffle', value=round(100 * figure.value)) + ': ' + name)}"
            f"<figcaption><b>{round(100 * figure.value)} <small>{escaped(words('of 100'))}</small></b>{isolated(name)}"
            "</figcaption></figure>"
            for figure, name in pairs
        )
        charted += f'</div><p class="small soft">{escaped(words("waffle.key"))}</p></div>'
    kind = "verdict" if study.beats_baseline else "verdict not"
    return (
        f'<div class="hero"><p class="headline">{escaped(headline(manifest, study, words))}</p>'
        f'<div class="two"><div class="words"><p>{isolated(usual(manifest, study, words))}</p>'
        f'<p class="{kind}">{escaped(verdict(study, words))}</p>'
        f'<p class="small soft">{isolated(measured(manifest, study, words))} '
        f"{escaped(words('interval', things=things(manifest, words)))}</p></div>{charted}</div></div>"
    )
