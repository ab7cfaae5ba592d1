"""Run a graph of layers and keep what every node gave."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from brevitas.nn.quant_layer import QuantNonLinearActLayer, QuantWeightBiasInputOutputLayer
from brevitas.quant_tensor import QuantTensor
from torch import Tensor, fx, nn

__all__ = ["FakeQuantised", "shapes_of"]


class _Recorder(fx.Interpreter):
    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.results: dict[fx.Node, object] = {}

    def run_node(self, node: fx.Node) -> object:
        self.results[node] = super().run_node(node)
        return self.results[node]


class FakeQuantised:
    """Every value of the quantised network, computed in float64 with the weights and scales of float32, by its name."""

    def __init__(self, graph: fx.GraphModule) -> None:
        self.graph = copy.deepcopy(graph).double().eval()
        held = dict(self.graph.named_modules())
        for name, module in graph.named_modules():
            if isinstance(module, QuantNonLinearActLayer):
                _hold_scale(held[name], module.act_quant.scale())
            elif isinstance(module, QuantWeightBiasInputOutputLayer):
                held[name].weight_quant.tensor_quant = _Weights(module.quant_weight())

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Mapping[str, Tensor]:
        recorder = _Recorder(self.graph)
        recorder.run(x.double())
        return {node.name: getattr(result, "value", result) for node, result in recorder.results.items()}


def _hold_scale(quantiser: QuantNonLinearActLayer, scale: Tensor) -> None:
    """Let a quantiser divide by this scale, which it gets by dividing a range by the largest integer."""
    quantising = quantiser.act_quant.fused_activation_quant_proxy.tensor_quant
    most = quantising.int_scaling_impl(quantiser.act_quant.bit_width()).double()
    quantising.scaling_impl = _Constant(scale.detach().double() * most)


class _Constant(nn.Module):
    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, *ignored: Tensor) -> Tensor:
        return self.value


class _Weights(nn.Module):
    """Weights as they were quantised, whatever is asked for."""

    def __init__(self, weights: QuantTensor) -> None:
        super().__init__()
        scale = weights.scale.detach().double()
        integers = torch.round(weights.value.detach().double() / scale)
        self.given = integers * scale, scale, weights.zero_point.double(), weights.bit_width.double()

    def forward(self, *ignored: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.given


@torch.no_grad()
def shapes_of(graph: fx.GraphModule, example: Tensor) -> Mapping[fx.Node, tuple[int, ...]]:
    """Return the shape of every tensor, for an example [n, ...]."""
    recorder = _Recorder(graph)
    recorder.run(example)
    return {node: tuple(result.shape) for node, result in recorder.results.items() if hasattr(result, "shape")}
