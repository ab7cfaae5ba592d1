"""All methods of quantising one trained network beside each other; run in the environment that it was trained in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from microstage.charts import bars
from microstage.files.canonical import write_json
from microstage.models.floats.weights import FLOATS_FILE, load_float_weights
from microstage.models.tiny.train import Training
from microstage.models.training import each, predict
from microstage.quantisation.evidence.intervals import drawn_weights, interval, relative_l2_of
from microstage.quantisation.evidence.methods import METHODS, REFERENCE, QuantisationSubject
from microstage.quantisation.network import quantize
from microstage.quantisation.preparing import prepare
from microstage.stage import Job, stage_main
from microstage.untrusted.weights import read_weights

__all__ = ["run"]

_WEIGHTS = "quantised_model_weight.pth"
_EXAMPLE = 8
_DIGITS = 6


def run(job: Job) -> None:
    """Write `quantisers.json` and `quantisers.png` of the network in the artefact `trained`."""
    p, trained = job.parameters, job.inputs["trained"]
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.enabled = False  # as in training: oneDNN picks its kernels by CPU
    torch.manual_seed(p["seed"])
    training = Training(p, job.inputs.get("data"))
    load_float_weights(training.floats, trained / FLOATS_FILE, FLOATS_FILE)
    rows = list(_rows(job, training))
    write_json(job.output / "quantisers.json", {**_about(training), "rows": rows})
    bars.draw(
        job.output / "quantisers.png",
        [row["method"] for row in rows[1:]],
        [row["relative_l2"] for row in rows[1:]],
        f"{p['model']}: relative L2 to the float network",
    )


def _about(training: Training) -> dict[str, str]:
    return {"network": training.parameters["model"], "figure": training.task.figure, "origin": training.task.origin}


def _rows(job: Job, training: Training) -> Iterator[dict[str, Any]]:
    """Yield a row for the float network, one for each method, and one for the network that was trained on."""
    (test,) = each(training.splits.test.inputs)
    judged = _Judged(training, predict(training.floats, test))
    yield {"method": "float", "relative_l2": 0.0, **judged.figure(judged.expected)}
    reference: Tensor | None = None
    for name, quantised in _quantised(job, training):
        job.log(f"quantisers: {job.parameters['model']}, {name}")
        answers = predict(quantised, test)
        reference = answers if name == REFERENCE else reference
        yield {"method": name, **judged.row(answers, reference)}


def _quantised(job: Job, training: Training) -> Iterator[tuple[str, nn.Module]]:
    batches = training.representative()
    prepared = prepare(training.floats, batches[0][:_EXAMPLE])
    subject = QuantisationSubject(training.floats.eval(), prepared, batches)
    for name, method in METHODS.items():
        yield name, method(subject)
    if "qat" in job.parameters["quantise"]:
        retrained = quantize(prepared, training.target)
        retrained.load_weights(read_weights(job.inputs["trained"] / _WEIGHTS))
        yield f"{training.target.name}, {job.parameters['retrain_epochs']} epochs of retraining", retrained


class _Judged:
    """Answers to the test examples beside the float network's; what is drawn again are the task's units."""

    def __init__(self, training: Training, expected: Tensor) -> None:
        self.task, self.expected = training.task, expected
        self.units = np.asarray(training.task.units)
        self.weights = drawn_weights(int(self.units.max()) + 1, training.parameters["seed"])
        self.sizes = self._squared(expected)

    def row(self, answers: Tensor, reference: Tensor | None) -> dict[str, Any]:
        row = {"relative_l2": _rounded(self._relative_l2(answers)[0]), **self.figure(answers)}
        if reference is None or reference is answers:
            return row
        differences = {
            "relative_l2": interval(self._relative_l2(answers), self._relative_l2(reference)),
            "figure": interval(self._figures(answers), self._figures(reference)),
        }
        return {**row, "against": {name: [_rounded(end) for end in ends] for name, ends in differences.items()}}

    def figure(self, answers: Tensor) -> dict[str, float]:
        return {"figure": _rounded(self._figures(answers)[0])}

    def _figures(self, answers: Tensor) -> np.ndarray:
        return self.task.quality(answers, self.weights)

    def _relative_l2(self, answers: Tensor) -> np.ndarray:
        return relative_l2_of(self._squared(answers - self.expected), self.sizes, self.weights)

    def _squared(self, values: Tensor) -> np.ndarray:
        return np.bincount(self.units, values.double().square().flatten(1).sum(1).numpy())


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


if __name__ == "__main__":
    raise SystemExit(stage_main("quantisers", run))
