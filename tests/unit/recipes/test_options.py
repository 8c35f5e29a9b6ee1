"""What can be set of a recipe."""

from typing import ClassVar

import pytest

from cauce.errors import InputError, UnknownName
from cauce.recipes.options import Network, Options, parse


def test_a_preset_comes_first_and_what_is_given_goes_over_it():
    class Own(Network):
        PRESETS: ClassVar = {"fast": {"epochs": 1, "batch": 8}, "balanced": {}, "best": {}}

    found = parse(Own, "fast", {"batch": "16", "rate": "2e-4"})
    assert (found.epochs, found.batch, found.rate) == (1, 16, 2e-4)


@pytest.mark.parametrize(
    ("kind", "preset", "given", "said"),
    [
        (Network, "quick", {}, "presets: fast, balanced, best"),
        (Network, "bets", {}, "best"),
        (Network, "fast", {"epoch": "3"}, "epochs"),
        (Options, "fast", {"rate": "3"}, "its options: none"),
    ],
)
def test_an_unknown_name_is_told_with_what_was_meant(kind, preset, given, said):
    with pytest.raises(UnknownName) as caught:
        parse(kind, preset, given)
    assert said in caught.value.hint


@pytest.mark.parametrize(("name", "value"), [("epochs", "0"), ("epochs", "many"), ("dropout", "1.5"), ("precision", "fp8")])
def test_a_value_that_cannot_be_is_told_with_its_name(name, value):
    with pytest.raises(InputError, match=f'"{name}" is {value!r}'):
        parse(Network, given={name: value})
