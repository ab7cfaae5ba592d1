"""A float network with quantisers in it: calibrated, corrected, trained on, and turned into integers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import TypeAlias

import torch
from brevitas.graph.calibrate import bias_correction_mode, calibration_mode
from brevitas.graph.quantize import quantize as brevitas_quantize
from torch import Tensor, fx, nn

from microstage.errors import ModelError
from microstage.quantisation.integers import IntegerNetwork
from microstage.quantisation.lowering import lower
from microstage.quantisation.preparing import PreparedNetwork
from microstage.quantisation.quantisers import activation_map, identity_map, layer_map
from microstage.quantisation.rules import assert_allowed
from microstage.quantisation.targets import Target

__all__ = ["QuantisedNetwork", "quantize"]

Representative: TypeAlias = "Iterable[Tensor] | Callable[[], Iterable[Tensor]]"


def quantize(model: PreparedNetwork, target: str | Target = "diana-digital") -> QuantisedNetwork:
    """Return a prepared network with a quantiser behind every layer, for a target by name, file or object.

    Raise `ModelError` where the target does not have a layer, with the layer and the rule.
    """
    target = target if isinstance(target, Target) else Target.load(target)
    assert_allowed(model.graph_module, target)
    return QuantisedNetwork(model, target)


class QuantisedNetwork(nn.Module):
    """Call it as the float network: it computes in floats what the integers will be, and gradients pass through."""

    def __init__(self, prepared: PreparedNetwork, target: Target) -> None:
        super().__init__()
        self.target = target
        self._prepared = [prepared]  # in a list, so that its weights are no parameters of this network
        self.graph_module = self._with_quantisers(target.calibration)
        self.calibrated = False

    def _with_quantisers(self, calibration: str) -> fx.GraphModule:
        return brevitas_quantize(
            copy.deepcopy(self._prepared[0].graph_module),
            quant_identity_map=identity_map(self.target, calibration),
            compute_layer_map=layer_map(self.target),
            quant_act_map=activation_map(self.target, calibration),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.graph_module(x)

    @torch.no_grad()
    def calibrate(self, representative: Representative, method: str | None = None) -> QuantisedNetwork:
        """Choose every scale by what flows through the float network: batches [n, ...], or a function that gives them.

        `method` is the target's own unless one is named: percentile, max, mse or three-sigma.
        """
        if method is not None:
            self.graph_module = self._with_quantisers(method)
        self.eval()
        with calibration_mode(self.graph_module):
            self._run(representative)
        self.eval()
        self.calibrated = True
        return self

    @torch.no_grad()
    def correct_bias(self, representative: Representative) -> QuantisedNetwork:
        """Add to each bias the mean by which quantising moved that layer's output."""
        self._assert_calibrated()
        self.eval()
        with bias_correction_mode(self.graph_module):
            self._run(representative)
        return self

    def integerize(self) -> IntegerNetwork:
        """Return the network in integers alone."""
        self._assert_calibrated()
        self.eval()
        return lower(self.graph_module, self.target, self._prepared[0].example)

    def _run(self, representative: Representative) -> None:
        count = 0
        for batch in representative() if callable(representative) else representative:
            self.graph_module(batch)
            count += 1
        if not count:
            raise ModelError("The representative dataset holds no batch.")

    def _assert_calibrated(self) -> None:
        if not self.calibrated:
            raise ModelError("The network has no scales yet: call calibrate(representative) first.")
