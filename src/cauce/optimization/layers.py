"""A network with every second layer: the model's own, trained for a short while with the model as its teacher.

Whole layers are left out, for single weights that are left out make no processor faster (Sajjad et al., "On the effect
of dropping layers of pre-trained transformer models", 2023).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cauce.data.dataset import Dataset
from cauce.errors import NotAModel
from cauce.model.manifest import Manifest

if TYPE_CHECKING:
    from cauce.recipes.transformer import Classifier, Options

RECIPE, CONFIG = "transformer", "config.json"
SHARED = ("albert",)  # one layer's weights, used again and again: nothing would be saved
PASSES, EPOCHS = 24_000, 3  # rows that are seen in all, and most passes over them


def kept(folder: Path, manifest: Manifest) -> tuple[int, ...]:
    """Which layers stay, from 0; none where the model is not one of our transformers, or has one layer."""
    if manifest.recipe.name != RECIPE or not (folder / CONFIG).is_file():
        return ()
    config = json.loads((folder / CONFIG).read_bytes())
    layers = config.get("num_hidden_layers") or config.get("n_layers") or 0
    return () if config.get("model_type") in SHARED else tuple(range(0, layers, 2)) if layers > 1 else ()


def shorten(
    folder: Path,
    manifest: Manifest,
    layers: tuple[int, ...],
    train: Dataset,
    dev: Dataset,
    room: Path,
    progress: Callable[[float, str], None],
) -> None:
    """Write the graph and weights of the network with these layers alone into `room`.

    Args:
        folder: the model's; it is the teacher itself.
        layers: those that stay, from 0.
        train: what it recovers on; the teacher's answers to these rows are learned beside the labels.
        dev: the weights that are best on these rows are taken.

    Raises:
        KeyboardInterrupt: Ctrl-C; half a recovery is not kept.
        NotAModel: the folder's weights are not those of its configuration, or it has no stack of layers.
        InputError: the model cannot answer a row of `train`.
        OutOfMemory, Interrupted, MissingExtra

    """
    from cauce.recipes import graph, transformer
    from cauce.recipes.lessons import Reader, texts_of
    from cauce.recipes.loop import Examples, fit
    from cauce.recipes.targets import Scale, targets, weights
    from cauce.recipes.teacher import Teacher
    from cauce.text.spelling import Spelling
    from cauce.text.tokenize import Tokenizer

    net, options = network(folder, manifest), _options(manifest)
    keep(net, layers)
    scale = Scale.of(manifest.task, train.truth(manifest.labels))
    net.rescale(Scale(-scale.mean / scale.deviation, 1 / scale.deviation))
    normalizer = manifest.normalizer
    assert normalizer is not None and manifest.limits.max_tokens is not None  # noqa: PT018, S101  (our recipe writes both)
    spelling = Spelling.open(folder) if normalizer.spelling else None
    reader = Reader(normalizer, spelling, Tokenizer.open(folder / "tokenizer.json", manifest.limits.max_tokens))
    progress(0.0, "asking the model, as the teacher, the training rows")
    rows = Examples(
        reader.tokens(texts_of(train)),
        targets(train, manifest.labels, scale),
        weights(train, manifest.labels, even=options.class_weights),
        scale.apply(Teacher(folder, manifest.task, manifest.labels).logits(texts_of(train))),
    )
    done = fit(
        net,
        transformer.tuned(net, options),
        rows,
        reader.tokens(texts_of(dev)),
        scale.apply(dev.truth(manifest.labels)),
        task=manifest.task,
        options=options,
        seed=manifest.recipe.seed,
        progress=progress,
    )
    if done.stopped:
        raise KeyboardInterrupt
    net.rescale(scale)
    (room / CONFIG).write_text(net.model.config.to_json_string(use_diff=False), encoding="utf-8")
    graph.write(net, room)


def network(folder: Path, manifest: Manifest) -> Classifier:
    """The network that the folder's graph was made from.

    Raises:
        NotAModel: the folder's weights are not those of its configuration.

    """
    import transformers

    from cauce.recipes import graph, transformer
    from cauce.recipes.network import replace_dropout

    config = transformers.AutoConfig.from_pretrained(folder)
    found = transformers.AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    net = transformer.Classifier(found)
    try:
        net.load_state_dict(graph.state_dict(folder))
    except RuntimeError as error:
        said = str(error).strip().splitlines()[-1].strip()
        raise NotAModel(f"the weights are not those of {CONFIG}: {said}", where=str(folder)) from None
    replace_dropout(net, _options(manifest).dropout)
    return net.eval()


def keep(net: Classifier, layers: tuple[int, ...]) -> None:
    """Leave out all layers but these, in place."""
    from torch import nn

    config = net.model.config
    for parent in net.modules():
        for name, stack in parent.named_children():
            if isinstance(stack, nn.ModuleList) and len(stack) == config.num_hidden_layers:
                setattr(parent, name, nn.ModuleList([stack[place] for place in layers]))
                config.num_hidden_layers = len(layers)
                return
    raise NotAModel(
        f"a network of the kind {config.model_type} has no stack of layers", hint="other variants can be made of it"
    )


def _options(manifest: Manifest) -> Options:
    """Those that the model was trained with, for a shorter training of all layers."""
    from cauce.recipes.transformer import Options

    known = {name: value for name, value in manifest.recipe.parameters.items() if name in Options.model_fields}
    own = {"tune": "full", "passes": PASSES, "epochs": EPOCHS, "teacher": None, "unlabelled": None, "device": "cpu"}
    return Options.model_validate({**known, **own})
