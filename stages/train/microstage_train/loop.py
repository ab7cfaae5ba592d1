"""One phase of training: Adam, cosine rate, best checkpoint by validation; killed and resumed, it ends in the same bytes."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from microstage.stage import Job
from microstage_train.data import Prepared, TensorSplit

__all__ = ["Phase", "fit", "predict"]

_CLIP = 1.0
# H3, H5 and H7 are a hundredth of the fundamental in most loads; unweighted, they would be learnt last.
_WEIGHTS = torch.tensor([2.0, 3.0, 5.0, 5.0])


@dataclass(frozen=True)
class Phase:
    """`epochs` of one network; `rate` falls to zero along a cosine.

    From the share `settled` of the steps on, batch norms use their running statistics: those of a batch waver by
    several percent, and a network that is to measure to a thousandth cannot learn under a scale that wavers so.
    """

    name: str
    epochs: int
    batch: int
    rate: float
    seed: int
    settled: float = 0.0


def fit(job: Job, network: nn.Module, data: Prepared, phase: Phase) -> list[dict[str, float]]:
    """Train in place, leave the best epoch's weights in `network`, return {"train", "validation"} losses per epoch."""
    if phase.epochs == 0:
        return []
    checkpoint = job.scratch / f"{phase.name}.checkpoint"
    state = {"epoch": 0, "history": [], "best": math.inf, "weights": None, **_resume(checkpoint, network)}
    optimiser = torch.optim.Adam(network.parameters(), lr=phase.rate)  # after loading, which makes brevitas' scales anew
    if "optimiser" in state:
        optimiser.load_state_dict(state.pop("optimiser"))
    steps = math.ceil(len(data.train) / phase.batch)
    board = _board(job)
    for epoch in range(state["epoch"], phase.epochs):
        order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(phase.seed * 100003 + epoch))
        batches = job.progress(order.split(phase.batch), steps, f"{phase.name} epoch {epoch + 1}/{phase.epochs}")
        loss = _epoch(network, optimiser, data.train, batches, phase, epoch, steps)
        validation = float(_loss(predict(network, data.validation.windows), data.validation.targets))
        state["history"].append({"train": loss, "validation": validation})
        for name, value in state["history"][-1].items():
            board.add_scalar(f"{phase.name}/{name}", value, epoch)
        if validation < state["best"]:
            state["best"] = validation
            state["weights"] = {name: value.clone() for name, value in _weights(network).items()}
        state["epoch"] = epoch + 1
        _save(checkpoint, state, network, optimiser)
    board.close()
    _load(network, state["weights"])
    return state["history"]


def _epoch(network: nn.Module, optimiser, train: TensorSplit, batches, phase: Phase, epoch: int, steps: int) -> float:
    network.train()
    total = 0.0
    for step, rows in enumerate(batches):
        done = (epoch * steps + step) / (phase.epochs * steps)
        if done >= phase.settled:
            _settle(network)
        for group in optimiser.param_groups:
            group["lr"] = phase.rate * 0.5 * (1 + math.cos(math.pi * done))
        loss = _loss(network(train.windows[rows]), train.targets[rows])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimiser.step()
        total += float(loss.detach()) * len(rows)
    return total / len(train)


def _settle(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    return ((predicted - wanted).abs() * _WEIGHTS).mean()


def predict(network: nn.Module, windows: Tensor, batch: int = 1024) -> Tensor:
    """Evaluation mode: windows [n, 1, N] -> harmonics [n, 4] over the gain."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(part) for part in windows.split(batch)])


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return network.weights() if hasattr(network, "weights") else network.state_dict()


def _load(network: nn.Module, weights: dict[str, Tensor]) -> None:
    (network.load_weights if hasattr(network, "load_weights") else network.load_state_dict)(weights)


def _collected(network: nn.Module) -> dict[str, tuple[int, Tensor]]:
    """What the activation scales have gathered so far; brevitas leaves it out of a state dict."""
    gathering = {name: m for name, m in network.named_modules() if hasattr(m, "collect_stats_steps")}
    return {name: (m.counter, m.buffer.clone()) for name, m in gathering.items()}


def _go_on_collecting(network: nn.Module, collected: dict[str, tuple[int, Tensor]]) -> None:
    """Undo what loading a state dict does to a scale that was still gathering: it takes the mean so far for final."""
    modules = dict(network.named_modules())
    for name, (counter, buffer) in collected.items():
        module = modules[name]
        module.counter = counter
        module.buffer.copy_(buffer)
        if counter <= module.collect_stats_steps:
            module.value.data.fill_(1.0)


def _save(path, state: dict[str, Any], network: nn.Module, optimiser) -> None:
    beside = path.with_suffix(".part")
    inside = {"network": _weights(network), "collected": _collected(network), "optimiser": optimiser.state_dict()}
    torch.save({**state, **inside, "random": torch.get_rng_state()}, beside)
    os.replace(beside, path)


def _resume(path, network: nn.Module) -> dict[str, Any]:
    """The state after the last whole epoch, if any; the file is this stage's own, written a moment ago in its scratch folder."""
    if not path.exists():
        return {}
    whole = torch.load(path)
    _load(network, whole.pop("network"))
    _go_on_collecting(network, whole.pop("collected"))
    torch.set_rng_state(whole.pop("random"))
    return whole


def _board(job: Job):
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(job.logs / "tensorboard"))
