"""`cauce vectors`: word vectors trained from texts, and the neighbors of a word."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cauce.cli import show

EXAMPLES = """\b
Examples:
  cauce vectors train tweets.txt tweets.vec --skip-gram
  cauce vectors near tweets.vec coffee
  cauce vectors near glove.6B.100d.txt coffee -n 5
  cauce train messages.csv --recipe lstm --set embeddings=tweets.vec"""

app = typer.Typer(
    help="Word vectors: train them from texts, look at the neighbors of a word.",
    rich_markup_mode=None,
    no_args_is_help=True,
    epilog=EXAMPLES,
)


@app.command()
def train(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Texts: one a line (.txt), or a file as for training.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write, word2vec text; .gz is packed.")],
    skip_gram: Annotated[bool, typer.Option("--skip-gram", help="Each word foretells its neighbors; else CBOW.")] = False,
    size: Annotated[int, typer.Option(min=1, max=4096, help="Numbers of a vector.")] = 100,
    window: Annotated[int, typer.Option(min=1, help="Neighbors on each side.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the texts.")] = 10,
    least: Annotated[int, typer.Option(min=1, help="Rarer words get no vector.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Same texts and seed: same vectors.")] = 0,
    text: Annotated[str | None, typer.Option(help="The column of the text. [default: guessed]")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over the file that is there.")] = False,
) -> None:
    """Train word vectors from texts. Needs the extra `word2vec`."""
    from cauce.data.texts import texts
    from cauce.errors import OutputExists
    from cauce.recipes.word2vec import Word2Vec, save
    from cauce.recipes.word2vec import train as run_training
    from cauce.text.words import words

    if out.exists() and not replace:
        raise OutputExists(f"{out} exists already", hint="choose another name, or replace it with --replace")
    how = Word2Vec(skip_gram=skip_gram, size=size, window=window, epochs=epochs, least=least, seed=seed)
    read = words(texts(file, text))
    vectors = run_training(read, how, file)
    save(vectors, out)
    show.say(f"{out}  {len(vectors.words)} words, {size} numbers each, from {len(read)} texts")
    show.next_command(f"cauce vectors near {shlex.quote(str(out))} {shlex.quote(vectors.words[0])}")


@app.command()
def near(
    vectors: Annotated[Path, typer.Argument(metavar="VECTORS", help="word2vec, GloVe or fastText, text or binary, or .gz.")],
    word: Annotated[str, typer.Argument(metavar="WORD", help="A word as the file has it.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")] = 10,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """The words whose vectors are nearest, by their cosine."""
    from cauce.recipes.vectors import near as nearest

    found = nearest(vectors, word, count)
    if json:
        show.as_json(dict(found))
    else:
        show.table(("word", "cosine"), [(other, f"{cosine:.3f}") for other, cosine in found])
