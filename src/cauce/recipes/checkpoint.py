"""A training that can go on: weights, the best ones so far, and the optimizers' state, kept at each evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from cauce.errors import DamagedCheckpoint, FileMissing, InputError, writing

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

FILE = "checkpoint.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class State:
    """Where a training is, beside the weights.

    Attributes:
        merit: of the best evaluation.
        since_best: evaluations since then.
        best: the weights it had.

    """

    step: int = 0
    merit: float = float("-inf")
    since_best: int = 0
    seconds: float = 0.0
    log: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """The place where one training is kept.

    Attributes:
        folder: made when the training is first kept.
        identity: of data, recipe, options and seed: another training does not go on from here.
        resume: go on from what is kept; without it the training begins anew.

    """

    folder: Path
    identity: str
    resume: bool = False

    def save(self, state: State, net: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Keep the training as it is now, in the place of what was kept before.

        Raises:
            CannotWrite, StorageFull

        """
        from safetensors.torch import save_file

        tensors = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in state.best.items()}
        names: dict[Tensor, str] = {parameter: name for name, parameter in net.named_parameters()}
        for optimizer in optimizers:
            for parameter, moments in optimizer.state.items():
                tensors |= {f"{moment}.{names[parameter]}": moments[moment] for moment in MOMENTS}
        told = {key: value for key, value in asdict(_without_tensors(state)).items() if key != "best"}
        told["identity"] = self.identity
        kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            aside = self.folder / f"{FILE}.tmp"
            save_file(kept, aside, {"state": json.dumps(told)})
            aside.rename(self.folder / FILE)

    def restore(self, state: State, net: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Set all to what was kept; with `resume` only.

        Raises:
            FileMissing: nothing is kept.
            DamagedCheckpoint: what is kept cannot be read.
            InputError: it is of another training.

        """
        if not self.resume:
            return
        path = self.folder / FILE
        if not path.is_file():
            raise FileMissing(f"there is no training to resume at {self.folder}", hint="leave --resume out")
        try:
            with safe_open(path, "pt") as file:
                told = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedCheckpoint(
                f"the checkpoint cannot be read: {error}", where=str(path), hint="begin anew: leave --resume out"
            ) from None
        if told.pop("identity", None) != self.identity:
            raise InputError(
                "the checkpoint is of a training on other data or with other options",
                where=str(path),
                hint="give the same ones, or begin anew: leave --resume out",
            )
        net.load_state_dict(_part(tensors, "net."))
        names = dict(net.named_parameters())
        moments = {moment: _part(tensors, f"{moment}.") for moment in MOMENTS}
        known = {names[name]: {moment: moments[moment][name] for moment in MOMENTS} for name in moments["step"]}
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    optimizer.state[parameter] = {
                        key: one.to(parameter.device) if key != "step" else one for key, one in known[parameter].items()
                    }
        for key, value in {**told, "best": _part(tensors, "best.")}.items():
            setattr(state, key, value)


def _without_tensors(state: State) -> State:
    return State(state.step, state.merit, state.since_best, state.seconds, state.log)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
