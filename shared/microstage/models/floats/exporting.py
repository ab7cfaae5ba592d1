"""A float network that was quantised, on its way to ONNX: its integers, proven, and QONNX of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper
from torch import Tensor, nn

from microstage import quantisation
from microstage.interface import golden
from microstage.models.definition import REPLAYED, read
from microstage.models.exporting import Exporting, numbered, smallest
from microstage.quantisation.dialects.qonnx import QonnxWriter
from microstage.quantisation.integers.integer_network import IntegerNetwork
from microstage.quantisation.integers.operations import Quantise, Requantise

__all__ = ["FloatExporting"]

_EXAMPLE = 8
_BATCH = 64


class FloatExporting(Exporting):
    """The float network again, with quantisers for the target that `model_def.json` has; a subclass builds it."""

    network: quantisation.QuantisedNetwork

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        described = read(folder)
        self.input, self.output = described["input"], described["output"]
        target = quantisation.Target.of(described["target"])
        self.model = described["model"]
        network = self.float_network({**self.parameters, "model": self.model})
        prepared = quantisation.prepare(network, self.examples[:_EXAMPLE])
        self.network = quantisation.quantize(prepared, target)

    @staticmethod
    @abstractmethod
    def float_network(parameters: Mapping[str, Any]) -> nn.Module:
        """Return the network as `FloatTraining` builds it."""

    @property
    def examples(self) -> Tensor:
        return torch.from_numpy(golden.load(self.folder / REPLAYED)[self.inputs[0]])

    def simulate(self, replayed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return {boundary: integers, output: reals as float64} of the integer network, every one of them equal to what
        the network with quantisers computes in floats.
        """
        inputs = torch.from_numpy(replayed[self.inputs[0]])
        integer = self.network.integerize()
        comparison = integer.verify(inputs.split(_BATCH))
        self.proven = comparison.compared, comparison.ties
        found = [self._boundaries(integer, part) for part in inputs.split(_BATCH)]
        values = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
        levels, names = integer.levels[integer.output], self._inner_names(integer)
        answers = (values[integer.output] - levels.zero) * levels.scale
        return {**{names[name]: smallest(v) for name, v in values.items()}, self.outputs[0]: answers}

    @staticmethod
    def _boundaries(integer: IntegerNetwork, inputs: Tensor) -> dict[str, np.ndarray]:
        values = integer.values(inputs)
        return {
            operation.output: values[operation.output]
            for operation in integer.operations
            if isinstance(operation, (Quantise, Requantise))
        }

    def qonnx(self) -> onnx.ModelProto:
        """Return the integer network as QONNX for one example, its ends called as the network's are."""
        integer = self.network.integerize()
        model, names = QonnxWriter(integer).model(), self._inner_names(integer)
        names[integer.input] = self.inputs[0]
        graph = model.graph
        for node in graph.node:
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]
        graph.node.append(helper.make_node("Identity", [names[integer.output]], [self.outputs[0]]))
        for value, name in ((graph.input[0], self.inputs[0]), (graph.output[0], self.outputs[0])):
            value.name = name
            value.type.tensor_type.shape.dim[0].dim_value = 1
        return model

    def _inner_names(self, integer: IntegerNetwork) -> dict[str, str]:
        """Return what each value is called beside the graph's ends, whose names a layer may have, too."""
        ends = {*self.inputs, *self.outputs}
        return {name: numbered(name, {*ends, *integer.shapes}) if name in ends else name for name in integer.shapes}

    def save(self, folder: Path) -> None:
        """Write `diana/` for a target whose requantisers are shifts: the integers as DIANA's compiler reads them, with
        all that is computed for one example.
        """
        if self.network.target.shift is not None:
            self.network.integerize().export(folder / "diana", dialect="diana", x=self.examples[:1])
