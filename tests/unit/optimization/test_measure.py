"""What is measured of a variant."""

import numpy as np
import pytest

from cauce.data.read import read
from cauce.errors import CauceError
from cauce.evaluation.evaluate import ask
from cauce.model import variants
from cauce.model.model import load
from cauce.model.variant import Variant
from cauce.optimization import measure, quantize
from cauce.optimization.measure import Speed


@pytest.fixture(scope="module")
def dev(tiny_rows):
    return read(tiny_rows["dev"])


def add_int8(folder, tmp_path, batching="single"):
    """int8, declared as one likes."""
    (tmp_path / "room").mkdir()
    quantize.quantize(folder, tmp_path / "room", narrow=False)
    version = load(folder).version
    made = Variant(name="int8", version=version, runtime="onnx", batching=batching, precision="int8")
    variants.add(folder, made, tmp_path / "room")
    return load(folder, "int8")


def test_the_network_as_it_was_saved_answers_alike_in_every_batch(tiny_network, dev):
    found = measure.dependence(load(tiny_network), dev.rows)
    assert found.rows == 200
    assert found.worst < 1e-6
    assert found.flipped == 0
    assert found.served < 1e-6


def test_dynamic_int8_is_seen_to_depend_on_its_batch_even_if_it_is_declared_free(network, dev, tmp_path):
    found = measure.dependence(add_int8(network, tmp_path, "free"), dev.rows)
    assert found.worst > 1e-4
    assert found.served > 1e-4


def test_int8_that_runs_alone_serves_the_same_answer_whatever_is_asked_with_it(network, dev, tmp_path):
    found = measure.dependence(add_int8(network, tmp_path), dev.rows)
    assert found.worst > 1e-4
    assert found.served == 0


def test_int8_needs_fewer_megabytes_because_it_brings_its_weights(network, tmp_path):
    whole = measure.megabytes(network, "fp32")
    add_int8(network, tmp_path)
    own = sum(path.stat().st_size for path in (network / "variants" / "int8").iterdir() if path.name != "variant.json")
    root = sum((network / name).stat().st_size for name in ("tokenizer.json", "config.json"))
    assert measure.megabytes(network, "int8") == pytest.approx((own + root) / 1e6)
    assert measure.megabytes(network, "fp32") == whole


def test_a_variant_without_files_of_its_own_needs_the_models(network, tmp_path):
    (tmp_path / "none").mkdir()
    version = load(network).version
    same = Variant(name="same", version=version, runtime="onnx", batching="free", precision="fp32")
    variants.add(network, same, tmp_path / "none")
    golden = (network / "golden.jsonl").stat().st_size / 1e6
    assert measure.megabytes(network, "same") == pytest.approx(measure.megabytes(network, "fp32"), abs=golden)


def test_the_loss_is_the_paired_difference_in_points(tiny_network, dev):
    model = load(tiny_network)
    truth, scores = dev.truth(model.labels), ask(model, dev.rows)
    worse = scores.copy()
    worse[:20] = worse[:20, ::-1]
    found = measure.answers(model, truth, scores, worse)
    same = measure.answers(model, truth, scores, scores)
    assert found.metric == "macro_f1"
    assert found.loss.value == pytest.approx(100 * (same.value.value - found.value.value))
    assert found.loss.low <= found.loss.value <= found.loss.high
    assert found.loss.low > 0
    assert found.agreement == 0.9
    assert (same.loss.low, same.loss.value, same.loss.high, same.agreement) == (0, 0, 0, 1)


def test_rows_without_an_answer_count_against_a_variant(tiny_network, dev):
    model = load(tiny_network)
    scores = ask(model, dev.rows)
    gone = scores.copy()
    gone[:50] = np.nan
    assert measure.answers(model, dev.truth(model.labels), scores, gone).loss.value > 5


def test_gains_are_those_of_each_turn():
    base = Speed(np.array([[2.0, 2.0], [20.0, 20.0]]), np.array([100.0, 10.0]))  # the second turn was disturbed
    twice = Speed(np.array([[1.0, 1.0], [10.0, 10.0]]), np.array([200.0, 20.0]))
    assert twice.latency_gain(base) == 2
    assert twice.rate_gain(base) == 2


def test_speeds_are_measured_of_few_rows_too(tiny_network, dev):
    found = measure.speeds([load(tiny_network)], dev.rows.slice(0, 3), repeats=2)[0]
    assert found.rate > 0
    assert 0 < found.p50 <= found.p95


def test_a_fresh_process_says_what_it_holds(tiny_network):
    found = measure.fresh(tiny_network, "fp32", {"text": "my parcel was lovely"})
    assert found.seconds > 0
    assert 20 < found.mib < 4000


def test_a_fresh_process_that_fails_says_why(tiny_network):
    with pytest.raises(CauceError, match=r'fresh process failed: .*no variant "int9"'):
        measure.fresh(tiny_network, "int9", {"text": "x"})
