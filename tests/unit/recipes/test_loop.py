"""The training loop: the same weights for any number of threads, and after an interruption too."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from cauce.errors import DamagedCheckpoint, FileMissing, InputError, Interrupted, OutOfMemory
from cauce.recipes import loop
from cauce.recipes.checkpoint import FILE, Checkpoint
from cauce.recipes.loop import Examples, fit, losses, soft_losses
from cauce.recipes.network import Dropout, mean_of_tokens
from cauce.recipes.options import Network
from cauce.text.tokenize import Tokens

WORDS, LABELS = 40, 3


class Tiny(nn.Module):
    """The mean of embeddings, and a layer."""

    def __init__(self):
        super().__init__()
        self.words, self.drop, self.out = nn.Embedding(WORDS, 8), Dropout(0.3), nn.Linear(8, LABELS)

    def forward(self, input_ids, attention_mask):
        hidden = self.words(input_ids)
        pooled = mean_of_tokens(hidden, attention_mask)
        return self.out(self.drop(pooled)), pooled, hidden


def tokens_of(rows):
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Tokens(np.concatenate(rows).astype(np.int32), offsets, np.zeros(len(rows), np.bool_), 0)


@pytest.fixture
def data():
    """Rows whose label is told by their words, and the same words to choose on."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, LABELS, 210)
    rows = [rng.integers(1, 10, rng.integers(3, 12)) + 10 * label for label in truth]
    target = np.eye(LABELS, dtype=np.float32)[truth]
    return Examples(tokens_of(rows[:150]), target[:150], np.ones(150, np.float32)), tokens_of(rows[150:]), truth[150:]


def trained(data, *, progress=lambda share, what: None, checkpoint=None, threads=1, teacher=None, **options):
    torch.manual_seed(0)
    net = Tiny()
    train, dev, truth = data
    train = train if teacher is None else Examples(train.tokens, train.target, train.weight, teacher)
    done = fit(
        net,
        [(list(net.parameters()), 1.0)],
        train,
        dev,
        truth,
        task="classification",
        options=Network(**{"epochs": 4, "rate": 0.05, "precision": "fp32", **options}),
        seed=1,
        progress=progress,
        checkpoint=checkpoint,
    )
    return net, done


def weights_of(net):
    return b"".join(tensor.numpy().tobytes() for tensor in net.state_dict().values())


def test_it_learns_and_logs_each_evaluation(data):
    net, done = trained(data)
    assert [entry["epoch"] for entry in done.log] == [1, 2, 3, 4]
    assert max(entry["dev_macro_f1"] for entry in done.log) > 0.9
    assert not net.training
    assert not done.stopped


def test_the_number_of_threads_changes_no_bit(data, monkeypatch):
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(loop, "threads", lambda threads=threads: threads)
        found.append(weights_of(trained(data)[0]))
    assert found[0] == found[1] == found[2]


def test_the_weights_are_those_of_the_best_evaluation(data):
    _, dev, truth = data
    net, done = trained(data, rate=3.0, patience=2)
    best = max(entry["dev_macro_f1"] for entry in done.log)
    with loop._one_thread_each() as pool:
        answers = loop.logits(net, dev, pool, torch.device("cpu")).argmax(1)
    _, value, _ = loop.judge("classification", truth, np.eye(LABELS, dtype=np.float32)[answers])
    assert value == pytest.approx(best, abs=1e-5)


def interrupt_at(epoch):
    def progress(share, what):
        if what.startswith(f"epoch {epoch}"):
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_training_goes_on_to_the_same_weights(data, tmp_path):
    whole, log = trained(data)
    place = tmp_path / "kept"
    _, part = trained(data, progress=interrupt_at("2.40"), checkpoint=Checkpoint(place, "a"))
    assert part.stopped
    assert "--resume" in part.notes[0]
    rest, resumed = trained(data, checkpoint=Checkpoint(place, "a", resume=True))
    assert weights_of(rest) == weights_of(whole)
    assert [entry["loss"] for entry in resumed.log] == [entry["loss"] for entry in log.log]


def test_ctrl_c_before_the_first_evaluation_keeps_nothing(data):
    with pytest.raises(Interrupted):
        trained(data, progress=interrupt_at("0.40"))


def test_a_checkpoint_that_does_not_fit_is_told(data, tmp_path):
    place = tmp_path / "kept"
    with pytest.raises(FileMissing, match="no training to resume"):
        trained(data, checkpoint=Checkpoint(place, "a", resume=True))
    trained(data, epochs=1, checkpoint=Checkpoint(place, "a"))
    with pytest.raises(InputError, match="other data or with other options"):
        trained(data, checkpoint=Checkpoint(place, "b", resume=True))
    kept = (place / FILE).read_bytes()
    for damaged in (kept[:100], kept[: len(kept) // 2], b"", b"\xff" * 200):
        (place / FILE).write_bytes(damaged)
        with pytest.raises(DamagedCheckpoint):
            trained(data, checkpoint=Checkpoint(place, "a", resume=True))


def test_what_goes_wrong_in_the_middle_says_what_to_try(data, monkeypatch):
    with pytest.raises(InputError, match="diverged") as diverged:
        trained(data, rate=1e38, clip=1e38)
    assert "--set rate=" in diverged.value.hint

    def full(*_):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to allocate"
        )

    monkeypatch.setattr(loop, "losses", full)
    with pytest.raises(OutOfMemory) as caught:
        trained(data, batch=24)
    assert "--set batch=12" in caught.value.hint


def test_a_device_that_is_not_there_is_told(data):
    with pytest.raises(InputError, match='no device "cuda"'):
        trained(data, device="cuda")


def test_rows_without_a_label_learn_from_the_teacher_alone(data):
    train = data[0]
    teacher = (train.target * 8).astype(np.float32)
    unlabelled = Examples(train.tokens, np.zeros_like(train.target), np.zeros_like(train.weight), teacher)
    _, done = trained((unlabelled, *data[1:]), teacher=teacher)
    assert max(entry["dev_macro_f1"] for entry in done.log) > 0.9


def test_the_soft_loss_is_least_where_both_say_the_same():
    teacher = torch.tensor([[2.0, -1.0, 0.5]])
    for task in ("classification", "multilabel", "regression"):
        same, other = soft_losses(task, teacher, teacher, 2.0), soft_losses(task, teacher.flip(1), teacher, 2.0)
        assert same < other


def test_rare_labels_weigh_more_through_the_weights_of_rows():
    found = losses("classification", torch.zeros(2, 3), torch.eye(3)[:2])
    assert torch.allclose(found, torch.log(torch.tensor(3.0)))


def test_dropout_is_drawn_from_the_shard_alone_and_keeps_the_mean():
    drop, x = Dropout(0.25).train(), torch.ones(50, 401)
    from cauce.recipes.network import generator

    generator(x.device).manual_seed(3)
    one = drop(x)
    torch.manual_seed(0)
    generator(x.device).manual_seed(3)
    assert torch.equal(one, drop(x))
    assert one.mean() == pytest.approx(1, abs=0.02)
    assert (one == 0).float().mean() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(drop.eval()(x), x)


def test_a_checkpoint_holds_no_pickle_and_says_where_it_is(data, tmp_path):
    trained(data, epochs=1, checkpoint=Checkpoint(tmp_path, "a"))
    raw = (tmp_path / FILE).read_bytes()
    told = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert json.loads(told["__metadata__"]["state"])["step"] == 5
