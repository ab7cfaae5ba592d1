"""A plain float network with its data and recipe: trained, calibrated, retrained with quantisers in it."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from microstage import quantisation
from microstage.errors import ModelError
from microstage.models.definition import Definition
from microstage.models.exporting import Exporting
from microstage.models.floats.counting import work_of
from microstage.models.floats.exporting import FloatExporting
from microstage.models.floats.weights import FLOATS_FILE, load_float_weights
from microstage.models.training import Examples, Phase, Splits, Training, predict

__all__ = ["FloatTraining"]

_EXAMPLE = 8  # that rewrites of the network are checked on
_LOOKED_AT = 16  # while each part of the network is quantised alone
_BATCH = 128  # that integers are made of at a time
_GOLDEN_OCTETS, _FEWEST = 200_000_000, 16  # of golden vectors, and how many there are at least


class FloatTraining(Training):
    """A float network, quantised as QUANTISE=, TARGET= and CALIBRATE= say. A subclass gives `float_network` and
    `examples`; the recipe has a usual form.
    """

    output = "output"
    representatives = 1024  # training examples that scales are chosen by
    learns_rounding = True  # of each weight, where it is not retrained
    splits: Splits
    network: quantisation.QuantisedNetwork

    def __init__(self, parameters: Mapping[str, Any], data: Path | None) -> None:
        super().__init__(parameters, data)
        self.before_retraining: dict[str, Any] = {}
        self.splits = self.examples(data)
        self.floats = self.float_network(parameters)

    @staticmethod
    @abstractmethod
    def float_network(parameters: Mapping[str, Any]) -> nn.Module:
        """Return the network, untrained: a plain module of torch."""

    @classmethod
    def exporting(cls) -> type[Exporting]:
        """Return what the export stage asks for: the same network."""
        return type("Exporting", (FloatExporting,), {"float_network": staticmethod(cls.float_network)})

    @abstractmethod
    def examples(self, data: Path | None) -> Splits:
        """Return what is learnt; `data` is the dataset's folder, None for one that is built in."""

    @property
    def loss(self) -> nn.Module:
        """What both phases minimise."""
        return nn.CrossEntropyLoss() if self.classes else nn.MSELoss()

    def float_phases(self) -> Iterator[Phase]:
        """Yield the phases of the float network."""
        p = self.parameters
        yield Phase("float", self.floats, p["epochs"], p["batch"], p["learning_rate"], p["seed"], self.loss)

    def phases(self) -> Iterator[Phase]:
        """Train in floats, unless there are weights; quantise; train on, if that was asked for."""
        self._assert_quantisable()
        given = self.parameters["float_weights"]
        if given:
            load_float_weights(self.floats, self.file("float_weights"), given)
        else:
            yield from self.float_phases()
        self.network = self.calibrated()
        if "qat" in self.parameters["quantise"]:
            self.before_retraining = self._figures("calibrated", self._shipped())
            yield from self._no_worse(self.retraining())

    def _assert_quantisable(self) -> None:
        """Raise `ModelError` for what has no integer form, or what the target does not have, before it is trained."""
        quantisation.quantize(self._prepared(), self.target)

    def _prepared(self) -> quantisation.PreparedNetwork:
        return quantisation.prepare(self.floats, self.representative()[0][:_EXAMPLE])

    def calibrated(self) -> quantisation.QuantisedNetwork:
        """Return the trained float network with quantisers in it; where it is retrained, roundings are left to that."""
        inputs, prepared = self.representative(), self._prepared()
        method = self.parameters["calibrate"] or None
        if self.parameters["quantise"] == "ptq" and self.learns_rounding:
            return quantisation.post_training(prepared, self.target, inputs, method)
        prepared = quantisation.aligned(prepared, self.target, inputs)
        network = quantisation.quantize(prepared, self.target).calibrate(inputs, method)
        return network.correct_bias(inputs) if "ptq" in self.parameters["quantise"] else network

    def retraining(self) -> Phase:
        """Return the phase of the quantised network."""
        p = self.parameters
        return Phase(
            "quantised", self.network, p["retrain_epochs"], p["batch"], p["retrain_rate"], p["seed"], self.loss
        )

    def _no_worse(self, phase: Phase) -> Iterator[Phase]:
        """Yield the phase; take back what it did to the network if that answers the validation examples worse."""
        validation, score = self.splits.validation, phase.score or phase.loss
        before = score(predict(self.network, validation.inputs), validation.targets)
        weights = {name: value.clone() for name, value in self.network.weights().items()}
        yield phase
        if not score(predict(self.network, validation.inputs), validation.targets) < before:
            self.network.load_weights(weights)

    def representative(self) -> list[Tensor]:
        """Return training examples, spread evenly, in batches."""
        inputs = _inputs(self.splits.train)
        rows = np.linspace(0, len(inputs) - 1, min(self.representatives, len(inputs))).astype(int)
        return list(inputs[rows].split(self.parameters["batch"]))

    @property
    def floats_file(self) -> str:
        """What the file with the state of the float network is called."""
        return FLOATS_FILE

    @property
    def target(self) -> quantisation.Target:
        """What the integers are for."""
        chosen = self.parameters["target"]
        return quantisation.Target.load(self.file("target") if chosen.endswith(".json") else chosen)

    @cached_property
    def definition(self) -> Definition:
        said = super().definition
        own = {"target": self.target.described(), "input": self.input, "output": self.output}
        work = work_of(self.floats, _inputs(self.splits.train)[:1])
        return Definition(said.parameters, {**said.about, **own, **work})

    def evaluate(self) -> dict[str, Any]:
        """Return the metrics of the integers, as they are shipped; beside them `test.float_...` of the floats, and
        `test.calibrated_...` of the integers before retraining.
        """
        shipped, answers = self._shipped(), predict(self.floats, _inputs(self.splits.test))
        return {
            **self.measured(shipped),
            **self._figures("float", answers),
            **self.before_retraining,
            "test.relative_l2": float(f"{float((shipped - answers).norm() / answers.norm()):.6g}"),
        }

    def _shipped(self) -> Tensor:
        """Return what the integers answer to the test examples."""
        integer = self.network.integerize()
        parts = _inputs(self.splits.test).split(_BATCH)
        return torch.cat([torch.from_numpy(integer.predict(part)).float() for part in parts])

    def _figures(self, which: str, answers: Tensor) -> dict[str, Any]:
        """Return the metrics of `answers` that are one number, named by `which` network gave them."""
        found = self.measured(answers).items()
        return {name.replace("test.", f"test.{which}_", 1): value for name, value in found if isinstance(value, float)}

    def replayed(self) -> dict[str, np.ndarray]:
        """Return `test.npz` with as many examples as make golden vectors of 200 MB; at least 16."""
        integer = self.network.integerize()
        octets = 4 * math.prod(integer.shapes[integer.input])  # and one for each integer
        octets += sum(math.prod(integer.shapes[name]) for name in integer.levels)
        self.replays = min(self.replays, max(_FEWEST, _GOLDEN_OCTETS // octets))
        return super().replayed()

    def draw(self, folder: Path, metrics: Mapping[str, Any]) -> None:
        """Draw, beside the usual pictures, how far the answers move when one part alone is quantised."""
        super().draw(folder, metrics)
        found = self.network.sensitivity([self.representative()[0][:_LOOKED_AT]])
        (folder / "sensitivity.txt").write_text(f"{found.table()}\n")
        found.draw(folder / "sensitivity.png")

    def save(self, folder: Path) -> None:
        """Write the state of the float network, which quantisers are compared on."""
        torch.save(self.floats.state_dict(), folder / self.floats_file)


def _inputs(examples: Examples) -> Tensor:
    if isinstance(examples.inputs, tuple):
        raise ModelError(f"The examples have {len(examples.inputs)} inputs; a float network is quantised with one.")
    return examples.inputs
