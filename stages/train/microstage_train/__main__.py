"""Data, float warm start, quantisation-aware training, evaluation, files: in that order."""

from __future__ import annotations

import torch

from microstage.models.harmonic.definition import HarmonicDefinition
from microstage.models.harmonic.network import FloatTwin, HarmonicNetwork
from microstage.stage import Job, stage_main
from microstage_train import evaluation, files
from microstage_train.data import prepare
from microstage_train.loop import Phase, fit

_LARGER = 4  # batches of the quantised epochs: straight-through gradients are noisy
_CALIBRATION = 4096  # training windows that show which ranges the LSTM needs


def run(job: Job) -> None:
    p = job.parameters
    definition = HarmonicDefinition.from_parameters(p)
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.enabled = False  # oneDNN picks its kernels by CPU
    torch.manual_seed(p["seed"])
    data = prepare(job, definition)
    job.log(f"train: {len(data.train)} windows an epoch, {len(data.validation)} to validate, {len(data.test)} to test")

    twin = FloatTwin(definition)
    network = HarmonicNetwork(definition)
    rate = p["learning_rate"]
    floats = fit(job, twin, data, Phase("float", p["warmup_epochs"], p["batch"], rate, p["seed"], settled=0.1))
    network.start_from(twin, data.train.windows[:_CALIBRATION])
    quantised = fit(job, network, data, Phase("quantised", p["epochs"], _LARGER * p["batch"], rate / 3, p["seed"]))

    metrics = evaluation.evaluate(definition, data, network=network, twin=twin)
    files.write(job, definition, network, data, metrics, {"float": floats, "quantised": quantised})


if __name__ == "__main__":
    raise SystemExit(stage_main("train", run))
