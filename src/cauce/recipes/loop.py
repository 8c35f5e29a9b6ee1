"""The training loop that the networks share.

A step's rows are cut into shards, whose size does not depend on the number of threads. A shard is computed on one thread, and
the gradients are added up in the order of the shards: the same data, options and seed give the same weights, byte for byte,
for any number of threads, and a training that was interrupted and goes on gives them too.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from cauce.errors import InputError, Interrupted, OutOfMemory
from cauce.evaluation.evaluate import judge
from cauce.model.manifest import Task
from cauce.model.scores import to_scores
from cauce.recipes import network
from cauce.recipes.checkpoint import Checkpoint, State
from cauce.recipes.options import Network
from cauce.text.threads import threads
from cauce.text.tokenize import Tokens

SHARD = 16  # rows: smaller ones waste the processor, larger ones leave cores idle
POOL = 50  # steps whose rows are sorted by length together: little padding, and still another order each epoch
EVALUATED = 12_000  # rows between two evaluations, where an epoch is longer
SCORED = 4096  # padded tokens of a call that scores
WORTH = 1.3  # times that 16 bits must be faster to be taken

Progress = Callable[[float, str], None]
Group = tuple[list[nn.Parameter], float]  # parameters, and their share of the learning rate


@dataclass(frozen=True)
class Examples:
    """Rows to learn from.

    Attributes:
        tokens: (n,) texts.
        target: (n, k) float32: shares of one label, 0 and 1 of several, or values (k = 1).
        weight: (n,) float32, what the label counts; 0 for a row without one.
        teacher: (n, k) float32, the logits (of a regression the values) that a teacher gave; None without a teacher.

    """

    tokens: Tokens
    target: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    teacher: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Fit:
    """What came of a training: a log entry for each evaluation, notes, and whether Ctrl-C ended it."""

    log: list[dict[str, Any]]
    notes: tuple[str, ...] = ()
    stopped: bool = False


def fit(
    net: nn.Module,
    groups: Sequence[Group],
    train: Examples,
    dev: Tokens,
    dev_truth: npt.NDArray[Any],
    *,
    task: Task,
    options: Network,
    seed: int,
    progress: Progress,
    checkpoint: Checkpoint | None = None,
) -> Fit:
    """Train `net` in place; at the end it has the weights that were best on dev, and is in evaluation mode.

    Args:
        groups: the parameters to train.
        dev_truth: see `Dataset.truth`.
        checkpoint: where the training is kept at each evaluation, and found again.

    Raises:
        Interrupted: Ctrl-C before the first evaluation.
        OutOfMemory: it says which batch size to try.
        InputError: no such device, or the loss is no number any more.

    """
    steps = _Steps(len(train.weight), options, seed)
    with _one_thread_each() as pool:
        try:
            training = _Training(net, groups, train, task, options, seed, pool)
            if checkpoint is not None:
                checkpoint.restore(training.state, net, training.optimizers)
            progress(0.0, training.rehearse(steps))
            return training.run(steps, dev, dev_truth, progress, checkpoint)
        except RuntimeError as error:
            if "allocate" not in str(error) and "out of memory" not in str(error):
                raise
            raise OutOfMemory(
                f"the memory is not enough for steps of {options.batch} rows of up to {options.max_tokens} tokens",
                hint=f"try --set batch={max(1, options.batch // 2)}, or --set max_tokens={max(3, options.max_tokens // 2)}",
            ) from None


class _Steps:
    """Which rows each step takes, and at which rate: known from the seed alone, so a training can go on anywhere."""

    def __init__(self, rows: int, options: Network, seed: int) -> None:
        self.size, self._batch, self._seed = rows, options.batch, seed
        self.epochs = min(options.epochs, max(options.least, options.passes // rows))
        self.each = -(-rows // options.batch)
        self.total = self.epochs * self.each
        self._warmup, self._peak = options.warmup * self.total, options.rate
        self._evaluations = max(1, round(rows / EVALUATED))  # of an epoch
        self._order: tuple[int, list[npt.NDArray[np.int64]]] = (-1, [])

    def rows(self, step: int, cost: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """Places of the rows of a step, the longest last."""
        epoch, place = divmod(step, self.each)
        if self._order[0] != epoch:
            rng = np.random.default_rng((self._seed, epoch))
            shuffled = rng.permutation(self.size)
            span = self._batch * POOL
            pools = (shuffled[start : start + span] for start in range(0, self.size, span))
            ordered = [pool[np.argsort(cost[pool], kind="stable")] for pool in pools]
            calls = [pool[start : start + self._batch] for pool in ordered for start in range(0, len(pool), self._batch)]
            self._order = (epoch, [calls[i] for i in rng.permutation(len(calls))])
        return self._order[1][place]

    def rate(self, step: int) -> float:
        """The learning rate: up to the peak, then down to 0, both in a straight line."""
        if step < self._warmup:
            return self._peak * (step + 1) / (self._warmup + 1)
        return self._peak * (self.total - step) / max(1.0, self.total - self._warmup)

    def epoch(self, step: int) -> float:
        """Epochs done after so many steps."""
        return step / self.each

    def evaluates(self, step: int) -> bool:
        """True where an evaluation follows after so many steps."""
        within = (step - 1) % self.each + 1
        return within * self._evaluations // self.each > (within - 1) * self._evaluations // self.each


class _Training:
    """A net, its optimizers, and where the training is."""

    def __init__(
        self,
        net: nn.Module,
        groups: Sequence[Group],
        train: Examples,
        task: Task,
        options: Network,
        seed: int,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.device = device(options.device)
        self.net, self.train, self.task, self.options, self.seed, self.pool = (
            net.to(self.device),
            train,
            task,
            options,
            seed,
            pool,
        )
        self.parameters = [one for group, _ in groups for one in group]
        self.optimizers = _optimizers(groups, options)
        self.state = State()
        self.half = options.precision == "bf16"

    def rehearse(self, steps: _Steps) -> str:
        """Compute the longest step and a usual one, without learning: what memory and time the training will take.

        Where the options leave it open, 16 bits are taken if the usual step is faster in them.
        """
        order = np.argsort(self.train.tokens.cost, kind="stable")
        longest, usual = order[-self.options.batch :], order[len(order) // 2 :][: self.options.batch]
        self.gradients(longest, 0)
        seconds = {}
        for half in (False, True) if self.options.precision == "auto" else (self.half,):
            self.half = half
            started = time.perf_counter()
            self.gradients(usual, 0)
            seconds[half] = time.perf_counter() - started
        if self.options.precision == "auto":
            self.half = seconds[False] > WORTH * seconds[True]
        for one in self.parameters:
            one.grad = None
        left = (steps.total - self.state.step) * seconds[self.half]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        states = sum(one.numel() for one in self.parameters) * 3 * 4  # two moments, and the best weights so far
        return (
            f"{steps.epochs} epoch(s) of {steps.size} rows in {'bf16' if self.half else 'fp32'}:"
            f" about {max(1, round(left / 60))} min and {(peak + states) / 1e9:.1f} GB"
        )

    def run(
        self, steps: _Steps, dev: Tokens, truth: npt.NDArray[Any], progress: Progress, checkpoint: Checkpoint | None
    ) -> Fit:
        """Learn until the steps are done or dev stays behind."""
        state, losses = self.state, list[float]()
        started = time.perf_counter() - state.seconds
        notes: tuple[str, ...] = ()
        try:
            while state.step < steps.total and state.since_best < self.options.patience:
                losses.append(self.learn(steps))
                where = f"epoch {steps.epoch(state.step):.2f} of {steps.epochs}, loss {np.mean(losses[-50:]):.3f}"
                if steps.evaluates(state.step):
                    state.seconds = time.perf_counter() - started
                    entry = {
                        "epoch": round(steps.epoch(state.step), 3),
                        "step": state.step,
                        "loss": round(float(np.mean(losses)), 5),
                    }
                    where += self.evaluate(dev, truth, entry)
                    losses.clear()
                    if checkpoint is not None:
                        checkpoint.save(state, self.net, self.optimizers)
                progress(state.step / steps.total, where)
        except KeyboardInterrupt:
            if not state.log:
                raise Interrupted("stopped before the first evaluation: there is nothing to keep") from None
            how = " (go on with --resume)" if checkpoint else ""
            notes = (f"stopped at epoch {steps.epoch(state.step):.1f} of {steps.epochs}: the best so far is kept{how}",)
        self.net.load_state_dict(state.best)
        self.net.to("cpu").eval()
        return Fit(state.log, notes, stopped=bool(notes))

    def learn(self, steps: _Steps) -> float:
        """Take one step; returns its loss."""
        loss = self.gradients(steps.rows(self.state.step, self.train.tokens.cost), self.state.step)
        if not np.isfinite(loss):
            raise InputError(
                f"the training diverged at step {self.state.step + 1}",
                hint=f"try a lower rate: --set rate={self.options.rate / 3:g}",
            )
        nn.utils.clip_grad_norm_(self.parameters, self.options.clip)
        rate = steps.rate(self.state.step)

        def update(optimizer: torch.optim.Optimizer) -> None:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["share"]
            optimizer.step()

        list(self.pool.map(update, self.optimizers))
        self.state.step += 1
        return loss

    def evaluate(self, dev: Tokens, truth: npt.NDArray[Any], entry: dict[str, Any]) -> str:
        """Measure on dev, keep the weights if they are the best so far; returns what is shown."""
        found = to_scores(self.task, logits(self.net, dev, self.pool, self.device))
        name, value, merit = judge(self.task, truth, found)
        better = not self.state.log or merit > self.state.merit
        if better:
            self.state.merit, self.state.since_best = merit, 0
            self.state.best = {key: tensor.detach().cpu().clone() for key, tensor in self.net.state_dict().items()}
        else:
            self.state.since_best += 1
        seconds = round(self.state.seconds, 1)
        self.state.log.append({**entry, f"dev_{name}": round(value, 5), "seconds": seconds, "best": better})
        return f": {name} on dev {value:.3f}{', the best so far' if better else ''}"

    def gradients(self, rows: npt.NDArray[np.int64], step: int) -> float:
        """Set each parameter's gradient of the mean loss of these rows; returns the loss."""
        self.net.train()
        size = SHARD if self.device.type == "cpu" else len(rows)
        shards = [rows[start : start + size] for start in range(0, len(rows), size)]
        found = list(self.pool.map(lambda shard: self._shard(shards[shard], len(rows), (step, shard)), range(len(shards))))
        for i, parameter in enumerate(self.parameters):
            total = found[0][1][i]
            for _, others in found[1:]:
                total += others[i]
            parameter.grad = total
        return sum(loss for loss, _ in found)

    def _shard(self, rows: npt.NDArray[np.int64], of: int, place: tuple[int, int]) -> tuple[float, tuple[Tensor, ...]]:
        """Loss and gradients of a shard's part in a step of `of` rows."""
        network.generator(self.device).manual_seed(int(np.random.SeedSequence((self.seed, *place)).generate_state(1)[0]))
        ids, mask = (torch.from_numpy(one).to(self.device) for one in self.train.tokens.take(rows).padded())
        target, weight = (torch.from_numpy(one[rows]).to(self.device) for one in (self.train.target, self.train.weight))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            found = self.net(ids, mask)[0].float()
        loss = (weight * losses(self.task, found, target, self.options.smoothing)).sum()
        if self.train.teacher is not None:
            teacher = torch.from_numpy(self.train.teacher[rows]).to(self.device)
            soft = soft_losses(self.task, found, teacher, self.options.temperature)
            share = torch.where(weight > 0, self.options.soft, 1.0)
            loss = (weight * (1 - share) * losses(self.task, found, target, self.options.smoothing) + share * soft).sum()
        loss = loss / of
        return float(loss.detach()), torch.autograd.grad(loss, self.parameters)


def losses(task: Task, found: Tensor, target: Tensor, smoothing: float = 0.0) -> Tensor:
    """The loss of each row (n,): cross entropy, of several labels its mean over labels, of values the squared error."""
    if task == "regression":
        return (found - target).square().mean(1)
    if task == "multilabel":
        return functional.binary_cross_entropy_with_logits(found, target, reduction="none").mean(1)
    return functional.cross_entropy(found, target, reduction="none", label_smoothing=smoothing)


def soft_losses(task: Task, found: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The loss of each row (n,) against a teacher's logits (n, k), or values.

    Both logits are divided by the temperature; times its square, so that the gradients keep their size (Hinton, Vinyals and
    Dean, "Distilling the knowledge in a neural network", 2015).
    """
    if task == "regression":
        return losses(task, found, teacher)
    shares = (teacher / temperature).sigmoid() if task == "multilabel" else (teacher / temperature).softmax(1)
    return temperature**2 * losses(task, found / temperature, shares)


def logits(net: nn.Module, tokens: Tokens, pool: ThreadPoolExecutor, where: torch.device) -> npt.NDArray[np.float32]:
    """The logits (n, k) of texts, rows of like length together."""
    net.eval()
    order = np.argsort(tokens.cost, kind="stable")
    per_call = np.maximum(SCORED // np.maximum(tokens.cost[order], 1), 1)
    calls, start = [], 0
    while start < len(order):
        size = min(int(per_call[min(start + int(per_call[start]), len(order)) - 1]), len(order) - start)
        calls.append(order[start : start + size])
        start += size

    def score(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            ids, mask = (torch.from_numpy(one).to(where) for one in tokens.take(rows).padded())
            found: npt.NDArray[np.float32] = net(ids, mask)[0].float().cpu().numpy()
            return found

    found = np.concatenate(list(pool.map(score, calls)))
    out = np.empty_like(found)
    out[order] = found
    return out


def device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        InputError: it is not there.

    """
    if name == "cpu" or (name == "cuda" and torch.cuda.is_available()):
        return torch.device(name)
    raise InputError(f'there is no device "{name}" here', hint="train on the processor: --device cpu")


def _optimizers(groups: Sequence[Group], options: Network) -> list[torch.optim.AdamW]:
    """AdamW, the parameters dealt out to as many as there are threads: each steps on its own. Vectors have no weight decay."""
    dealt: list[list[dict[str, Any]]] = [[] for _ in range(threads())]
    loads = [0] * len(dealt)
    for parameters, share in groups:
        for one in parameters:
            least = loads.index(min(loads))
            loads[least] += one.numel()
            decay = options.weight_decay if one.ndim > 1 else 0.0
            dealt[least].append({"params": [one], "share": share, "weight_decay": decay})
    return [torch.optim.AdamW(some, lr=options.rate, fused=True) for some in dealt if some]


@contextmanager
def _one_thread_each() -> Iterator[ThreadPoolExecutor]:
    """A pool of as many threads as may be used; within it PyTorch computes each call on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads(), "cauce-train", initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)
