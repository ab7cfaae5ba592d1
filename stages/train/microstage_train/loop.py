"""One phase of training: Adam, best checkpoint by validation; killed and resumed, it ends in the same bytes."""

from __future__ import annotations

import math
import shutil
import time
import zipfile
from typing import Any

import torch
from torch import Tensor, nn

from microstage.files.atomic import replacing
from microstage.models.training import Examples, Phase, Splits, each, predict
from microstage.stage import Job
from microstage.untrusted.weights import read_checkpoint

__all__ = ["fit"]


def fit(job: Job, phase: Phase, data: Splits) -> list[dict[str, float]]:
    """Train the phase's network in place and leave its best epoch's weights in it.

    Return {"train", "validation"} per epoch.
    """
    if phase.epochs == 0:
        return []
    network, score = phase.network, phase.score or phase.loss
    checkpoint = job.scratch / f"{phase.name}.checkpoint"
    state = {"epoch": 0, "history": [], "best": math.inf, "weights": None, **_resume(job, checkpoint, network)}
    optimiser = phase.optimiser(network.parameters(), lr=phase.rate)  # after loading, which makes brevitas' scales anew
    if "optimiser" in state:
        optimiser.load_state_dict(state.pop("optimiser"))
    steps = math.ceil(len(data.train) / phase.batch)
    board = _board(job)
    began, first = time.monotonic(), state["epoch"]
    for epoch in range(first, phase.epochs):
        order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(phase.seed * 100003 + epoch))
        batches = job.progress(order.split(phase.batch), steps, f"{phase.name} epoch {epoch + 1}/{phase.epochs}")
        loss = _epoch(phase, optimiser, data.train.drawn(phase.name, epoch), batches, epoch, steps)
        validation = float(score(predict(network, data.validation.inputs), data.validation.targets))
        state["history"].append({"train": loss, "validation": validation})
        for name, value in state["history"][-1].items():
            board.add_scalar(f"{phase.name}/{name}", value, epoch)
        if validation < state["best"]:
            state["best"] = validation
            state["weights"] = {name: value.clone() for name, value in _weights(network).items()}
        state["epoch"] = epoch + 1
        _save(checkpoint, state, network, optimiser)
    board.close()
    _tell_speed(job, phase, (phase.epochs - first) * len(data.train), time.monotonic() - began)
    _load(network, state["weights"])
    return state["history"]


def _tell_speed(job: Job, phase: Phase, seen: int, seconds: float) -> None:
    if seen:
        job.log(
            f"train: {phase.name}: {phase.epochs} epochs; {seen} examples in {seconds:.0f} s, "
            f"{seen / max(seconds, 1e-3):.0f} a second"
        )


def _epoch(phase: Phase, optimiser, train: Examples, batches, epoch: int, steps: int) -> float:
    network = phase.network.train()
    total = 0.0
    for step, rows in enumerate(batches):
        done = (epoch * steps + step) / (phase.epochs * steps)
        if done >= phase.settled:
            _settle(network)
        for group in optimiser.param_groups:
            group["lr"] = phase.rate * phase.schedule(done)
        inputs, targets = train.batch(rows)
        loss = phase.loss(network(*each(inputs)), targets)
        optimiser.zero_grad()
        loss.backward()
        if phase.clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), phase.clip)
        optimiser.step()
        phase.after_step(network)
        total += float(loss.detach()) * len(rows)
    return total / len(train)


def _settle(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return network.weights() if hasattr(network, "weights") else network.state_dict()


def _load(network: nn.Module, weights: dict[str, Tensor]) -> None:
    (network.load_weights if hasattr(network, "load_weights") else network.load_state_dict)(weights)


def _collected(network: nn.Module) -> dict[str, tuple[int, Tensor]]:
    """Return what the activation scales have gathered so far; brevitas leaves it out of a state dict."""
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
    inside = {"network": _weights(network), "collected": _collected(network), "optimiser": optimiser.state_dict()}
    with replacing(path) as file:
        torch.save({**state, **inside, "random": torch.get_rng_state()}, file)


def _resume(job: Job, path, network: nn.Module) -> dict[str, Any]:
    """Return the state after the last whole epoch, if any.

    A damaged checkpoint is left out, and the phase begins anew.
    """
    if not path.exists():
        return {}
    if not _is_whole(path):
        job.log(f"train: {path.name} is damaged and is left out: the phase begins anew.")
        shutil.rmtree(path, ignore_errors=True)  # should it be a folder; a file is written over
        return {}
    whole = read_checkpoint(path)
    _load(network, whole.pop("network"))
    _go_on_collecting(network, whole.pop("collected"))
    torch.set_rng_state(whole.pop("random"))
    return whole


def _is_whole(path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return False


def _board(job: Job):
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(job.logs / "tensorboard"))
