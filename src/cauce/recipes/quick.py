"""A model in memory of the few labels that there are so far: no folder, no dev part, one penalty."""

from __future__ import annotations

from cauce.data.dataset import Dataset
from cauce.model.manifest import Calibration, Data, Limits, Manifest, Recipe
from cauce.model.model import Model
from cauce.recipes import linear
from cauce.runtimes.linear import Linear
from cauce.text.ngrams import Ngrams
from cauce.text.normalize import Normalizer

PENALTY = 1.0  # strong: the rows are few


def quick(data: Dataset) -> Model:
    """Fit the linear recipe with one penalty; under a second for some thousand rows.

    Raises:
        TooFewLabels: one label only.

    """
    data.check_trainable()
    labels = tuple(data.counts())
    fitted = linear.train(
        data, data, labels, seed=0, progress=lambda share, what: None, normalizer=Normalizer(), penalties=(PENALTY,)
    )
    manifest = Manifest(
        name="quick",
        task="classification",
        labels=labels,
        inputs=data.inputs,
        normalizer=fitted.normalizer,
        limits=Limits(),
        calibration=Calibration(),
        runtime=linear.RUNTIME,
        variant=linear.VARIANT,
        recipe=Recipe(name="quick", parameters=fitted.parameters, seed=0),
        data=Data(sha256="", rows=len(data)),
        files={},
    )
    ngrams = Ngrams(**fitted.parameters["ngrams"])
    inputs = tuple((one.name, one.type) for one in data.inputs)
    runtime = Linear(normalizer=fitted.normalizer, ngrams=ngrams, inputs=inputs, tensors=fitted.tensors)
    return Model(manifest, runtime)
