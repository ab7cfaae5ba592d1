"""Data, phases of training, evaluation, files: in that order. What they are is the chosen model's own."""

from __future__ import annotations

import torch

from microstage.models import hook, user_module
from microstage.models.network import Network
from microstage.models.training import Training
from microstage.stage import Job, stage_main
from microstage_train import files
from microstage_train.loop import fit


def run(job: Job) -> None:
    p = job.parameters
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.enabled = False  # oneDNN picks its kernels by CPU
    torch.manual_seed(p["seed"])
    module = job.inputs.get("module")
    with user_module.blaming_the_module(p["model"], module, job.logs):
        found = hook(p["model"], "train", module).Training
        user_module.expect(found, Training)
        training = found(p, job.inputs.get("data"))
        training.beside = job.inputs.get("beside")
        _train(job, training)


def _train(job: Job, training: Training) -> None:
    if hasattr(training, "network"):  # others make theirs on the way
        user_module.expect(type(training.network), Network)
    splits = training.splits
    job.log(
        f"train: {len(splits.train)} examples an epoch, {len(splits.validation)} to validate, {len(splits.test)} to "
        "test"
    )
    history = {phase.name: fit(job, phase, splits) for phase in training.phases()}
    files.write(job, training, training.evaluate(), history)


if __name__ == "__main__":
    raise SystemExit(stage_main("train", run))
