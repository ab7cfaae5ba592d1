"""The scales of activations in a network of brevitas layers, read and set from outside; a shared one is listed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import brevitas.nn as qnn
import torch
from brevitas.core.zero_point import ParameterFromRuntimeZeroPoint
from brevitas.nn.quant_layer import QuantNonLinearActLayer
from torch import Tensor, fx, nn

__all__ = [
    "ActivationScale",
    "LayerWithWeights",
    "Range",
    "activation_scales",
    "layers_with_weights",
    "output_quantiser",
    "set_weight_thresholds",
]

LayerWithWeights: TypeAlias = "qnn.QuantConv1d | qnn.QuantConv2d | qnn.QuantLinear"
Range: TypeAlias = "tuple[float, float]"
_SMALLEST = 1e-10  # of a range: what is always zero has one too


@dataclass
class ActivationScale:
    """A scale, and the quantisers that it is shared by: by module path, those of one sum have one."""

    scaling: nn.Module
    quantisers: dict[str, nn.Module] = field(default_factory=dict)

    @property
    def is_set(self) -> bool:
        return bool(self.scaling.counter > self.scaling.collect_stats_steps)

    @property
    def affine(self) -> bool:
        return any(True for _ in self._zeros())

    @property
    def threshold(self) -> float:
        """The end of the range, or its width where there is a zero point, before it is rounded to a power of two."""
        return float(self.scaling.restrict_scaling(self.scaling.value))

    @torch.no_grad()
    def set_threshold(self, threshold: float) -> None:
        value = self.scaling.restrict_preprocess(torch.tensor(max(threshold, _SMALLEST)))
        self.scaling.value.fill_(value)
        self.scaling.counter = self.scaling.collect_stats_steps + 1

    @torch.no_grad()
    def set_ranges(self, ranges: dict[str, Range]) -> None:
        """Represent the range of each quantiser, by module path: from its lowest value to its highest."""
        ranges = {name: (min(low, 0.0), max(high, 0.0)) for name, (low, high) in ranges.items()}
        if not self.affine:
            return self.set_threshold(max(max(-low, high) for low, high in ranges.values()))
        self.set_threshold(max(high - low for low, high in ranges.values()))
        for name, quantiser in self.quantisers.items():
            zero = _zero(quantiser)
            if isinstance(zero, ParameterFromRuntimeZeroPoint):
                zero.value.fill_(-ranges[name][0])
                zero.counter = zero.collect_stats_steps + 1

    def _zeros(self) -> Iterator[nn.Module]:
        zeros = (_zero(quantiser) for quantiser in self.quantisers.values())
        return (zero for zero in zeros if isinstance(zero, ParameterFromRuntimeZeroPoint))


def activation_scales(network: nn.Module) -> list[ActivationScale]:
    """Return every scale of `network` once, in the order of its modules."""
    found: dict[int, ActivationScale] = {}
    for name, module in network.named_modules():
        if isinstance(module, QuantNonLinearActLayer):
            scaling = _quantising(module).scaling_impl
            found.setdefault(id(scaling), ActivationScale(scaling)).quantisers[name] = module
    return list(found.values())


def layers_with_weights(network: nn.Module) -> Iterator[tuple[str, LayerWithWeights]]:
    """Yield (module path, layer) of every convolution and matrix."""
    for name, module in network.named_modules():
        if isinstance(module, (qnn.QuantConv1d, qnn.QuantConv2d, qnn.QuantLinear)):
            yield name, module


def output_quantiser(network: fx.GraphModule) -> str:
    """Return the module path of the quantiser of the network's output; "" where it has none."""
    modules = dict(network.named_modules())
    (node,) = (node for node in network.graph.nodes if node.op == "output")
    while len(node.all_input_nodes) == 1:  # what stands between them moves values about, and no more
        (node,) = node.all_input_nodes
        if isinstance(modules.get(str(node.target)), QuantNonLinearActLayer):
            return str(node.target)
    return ""


@torch.no_grad()
def set_weight_thresholds(layer: LayerWithWeights, thresholds: Tensor) -> None:
    """Represent weights up to `thresholds`: [channels], or [1] for all of them."""
    scaling = layer.weight_quant.tensor_quant.scaling_impl
    restrict = scaling.restrict_clamp_scaling.restrict_value_impl
    scaling.value.copy_(restrict.restrict_init_tensor(thresholds.clamp_min(_SMALLEST)).reshape(scaling.value.shape))


def _quantising(quantiser: nn.Module) -> nn.Module:
    return quantiser.act_quant.fused_activation_quant_proxy.tensor_quant


def _zero(quantiser: nn.Module) -> nn.Module:
    return _quantising(quantiser).zero_point_impl
