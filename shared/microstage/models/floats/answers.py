"""What a float network, and the same with quantisers in it, answer to the test pictures; run where it was trained."""

from __future__ import annotations

import numpy as np
import torch

from microstage.errors import ModelError
from microstage.interface import golden
from microstage.models import hook
from microstage.models.exporting import smallest
from microstage.models.floats.training import FloatTraining
from microstage.models.floats.weights import floats_in, load_float_weights
from microstage.models.training import each, predict
from microstage.quantisation.network import QuantisedNetwork, quantize
from microstage.quantisation.preparing import prepare
from microstage.stage import Job, stage_main
from microstage.untrusted.weights import read_weights

__all__ = ["run"]

_EXAMPLE = 8
_BATCH = 100


def run(job: Job) -> None:
    """Write `answers.npz` of the network in the artefact `trained`: the test examples as integers, their labels, and
    the scores of both networks.
    """
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.enabled = False  # as in training: oneDNN picks its kernels by CPU
    p, trained = job.parameters, job.inputs["trained"]
    training = hook(p["model"], "train", job.inputs.get("module")).Training(p, job.inputs.get("data"))
    if not isinstance(training, FloatTraining) or not training.classes:
        raise ModelError(
            f"MODEL={p['model']} is no float network that tells classes apart; there is nothing to compare."
        )
    training.beside = job.inputs.get("beside")
    file = floats_in(trained)
    load_float_weights(training.floats, file, file.name)
    quantised = _quantised(job, training)
    (inputs,) = each(training.splits.test.inputs)
    integer = quantised.integerize()
    given = np.concatenate([integer.quantiser.run(part.numpy()) for part in inputs.split(_BATCH)])
    levels = integer.levels[integer.output]
    golden.save(
        job.output / "answers.npz",
        {
            "inputs": smallest(given),
            "labels": training.splits.test.targets.numpy(),
            "raw": predict(training.floats, inputs, _BATCH).numpy(),
            "quantised": np.rint(predict(quantised, inputs, _BATCH).numpy() / levels.scale).astype(np.int64)
            + levels.zero,
        },
    )


def _quantised(job: Job, training: FloatTraining) -> QuantisedNetwork:
    network = quantize(prepare(training.floats, training.representative()[0][:_EXAMPLE]), training.target)
    network.load_weights(read_weights(job.inputs["trained"] / "quantised_model_weight.pth"))
    return network


if __name__ == "__main__":
    raise SystemExit(stage_main("answers", run))
