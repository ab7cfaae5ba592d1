"""brevitas' quantisers for a target, and the layers that hold them."""

from __future__ import annotations

from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.core.function_wrapper.ops_ste import FloorSte, RoundSte
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import ScalingImplType
from brevitas.nn.quant_layer import QuantNonLinearActLayer
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerTensorFloat,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
    Uint8ActPerTensorFloat,
)
from brevitas.quant.fixed_point import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint,
)
from torch import Tensor, fx, nn

from microstage.quantisation.targets import Target

__all__ = ["QuantReLU6", "activation_map", "identity_map", "layer_map", "round_the_input"]

Layers = dict[type[nn.Module], "tuple[type[nn.Module], dict[str, Any]] | None"]


def layer_map(target: Target) -> Layers:
    """Return what takes the place of each layer with weights; pools are there to be requantised behind."""
    weights = {
        "weight_quant": weight_quantiser(target),
        "bias_quant": Int32Bias,
        "return_quant_tensor": not target.activations.affine,  # brevitas has no zero point for sums of products
    }
    return {
        nn.Conv1d: (qnn.QuantConv1d, weights),
        nn.Conv2d: (qnn.QuantConv2d, weights),
        nn.Linear: (qnn.QuantLinear, weights),
        nn.AvgPool1d: None,
        nn.AvgPool2d: None,
    }


def activation_map(target: Target) -> Layers:
    """Return what takes the place of each activation function."""
    quantiser = _activation_quantiser(target, signed=target.activations.relu == "signed")
    settings = {"act_quant": quantiser, "return_quant_tensor": True}
    return {nn.ReLU: (qnn.QuantReLU, settings), nn.ReLU6: (QuantReLU6, settings)}


def identity_map(target: Target) -> dict[str, tuple[type[nn.Module], dict[str, Any]]]:
    """Return the quantisers of what is no activation: inputs, sums, pools, outputs.

    brevitas asks for the unsigned one behind values that it knows to be unsigned; shifted ones, which may be negative,
    look like that too.
    """
    unsigned = target.activations.relu == "unsigned"
    quantisers = {
        "signed": _activation_quantiser(target, signed=True),
        "unsigned": _activation_quantiser(target, signed=not unsigned or target.activations.affine),
    }
    return {
        sign: (qnn.QuantIdentity, {"act_quant": quantiser, "return_quant_tensor": True})
        for sign, quantiser in quantisers.items()
    }


def weight_quantiser(target: Target) -> type[ExtendedInjector]:
    """Return the quantiser of weights. Its scale is a parameter, so that it is kept with the weights."""
    base = Int8WeightPerTensorFixedPoint if target.weights.scale == "power-of-two" else Int8WeightPerTensorFloat
    return base.let(
        bit_width=target.weights.bits,
        narrow_range=target.weights.narrow,
        scaling_per_output_channel=target.weights.per == "channel",
        scaling_impl_type=ScalingImplType.PARAMETER_FROM_STATS,
        float_to_int_impl=_ROUNDINGS[target.weights.rounding],
    )


def _activation_quantiser(target: Target, signed: bool) -> type[ExtendedInjector]:
    chosen = target.activations
    if chosen.scale == "power-of-two":
        base = Int8ActPerTensorFixedPoint if signed else Uint8ActPerTensorFixedPoint
    elif chosen.affine and signed:
        base = ShiftedUint8ActPerTensorFloat
    else:
        base = Int8ActPerTensorFloat if signed else Uint8ActPerTensorFloat
    return base.let(bit_width=chosen.bits, float_to_int_impl=_ROUNDINGS[target.rounding])


def round_the_input(graph_model: fx.GraphModule, target: Target) -> None:
    """Let the quantiser of the network's input round as the target's border does."""
    modules = dict(graph_model.named_modules())
    for node in graph_model.graph.nodes:
        if node.op == "placeholder":
            for user in node.users:
                proxy = modules[user.target].act_quant.fused_activation_quant_proxy
                proxy.tensor_quant.int_quant.float_to_int_impl = _ROUNDINGS[target.border_rounding]()


class QuantReLU6(QuantNonLinearActLayer):
    """min(max(x, 0), 6), and a quantiser."""

    def __init__(self, act_quant: type[ExtendedInjector], return_quant_tensor: bool = False, **settings: Any) -> None:
        super().__init__(_UpToSix, False, None, act_quant, return_quant_tensor, **settings)


class _UpToSix(nn.Module):
    """nn.ReLU6, which brevitas takes to be the quantiser's own clipping, and leaves out."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(0, 6)


class HalfUpSte(nn.Module):
    """Round to the nearest integer, halves up, with a gradient of 1: a shift behind a bias of one half does so."""

    def forward(self, x: Tensor) -> Tensor:
        return x + (torch.floor(x + 0.5) - x).detach()


_ROUNDINGS = {"half-up": HalfUpSte, "half-even": RoundSte, "floor": FloorSte, "fixed-point": RoundSte}
