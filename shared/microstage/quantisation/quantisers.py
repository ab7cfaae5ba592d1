"""brevitas' quantisers for a target, and the layers that hold them."""

from __future__ import annotations

from typing import Any

import brevitas.nn as qnn
import torch
from brevitas.core.function_wrapper.ops_ste import FloorSte, RoundSte
from brevitas.core.stats import AbsMax, AbsPercentile
from brevitas.inject import ExtendedInjector
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
from torch import Tensor, nn

from microstage.quantisation.targets import Target

__all__ = ["activation_map", "identity_map", "layer_map"]

Layers = dict[type[nn.Module], "tuple[type[nn.Module], dict[str, Any]] | None"]
_SIGMAS = 3.0
_CANDIDATES = 64  # thresholds that a search tries, evenly up to the largest value


def layer_map(target: Target) -> Layers:
    """Return what takes the place of each layer with weights; pools are there to be requantised behind."""
    weights = {"weight_quant": weight_quantiser(target), "bias_quant": Int32Bias, "return_quant_tensor": True}
    return {
        nn.Conv1d: (qnn.QuantConv1d, weights),
        nn.Conv2d: (qnn.QuantConv2d, weights),
        nn.Linear: (qnn.QuantLinear, weights),
        nn.AvgPool2d: None,
    }


def activation_map(target: Target, calibration: str) -> Layers:
    """Return what takes the place of each activation function."""
    quantiser = _activation_quantiser(target, calibration, signed=target.activations.relu == "signed")
    return {nn.ReLU: (qnn.QuantReLU, {"act_quant": quantiser, "return_quant_tensor": True})}


def identity_map(target: Target, calibration: str) -> dict[str, tuple[type[nn.Module], dict[str, Any]]]:
    """Return the quantisers of what is no activation: inputs, sums, pools, outputs."""
    unsigned = target.activations.relu == "unsigned"
    quantisers = {
        "signed": _activation_quantiser(target, calibration, signed=True),
        "unsigned": _activation_quantiser(target, calibration, signed=not unsigned),
    }
    return {
        sign: (qnn.QuantIdentity, {"act_quant": quantiser, "return_quant_tensor": True})
        for sign, quantiser in quantisers.items()
    }


def weight_quantiser(target: Target) -> type[ExtendedInjector]:
    """Return the quantiser of weights: the largest of a channel, or of all, is just represented."""
    base = Int8WeightPerTensorFixedPoint if target.weights.scale == "power-of-two" else Int8WeightPerTensorFloat
    return base.let(
        bit_width=target.weights.bits,
        narrow_range=target.weights.narrow,
        scaling_per_output_channel=target.weights.per == "channel",
    )


def _activation_quantiser(target: Target, calibration: str, signed: bool) -> type[ExtendedInjector]:
    chosen = target.activations
    if chosen.scale == "power-of-two":
        base = Int8ActPerTensorFixedPoint if signed else Uint8ActPerTensorFixedPoint
    elif chosen.affine and signed:
        base, signed = ShiftedUint8ActPerTensorFloat, False
    else:
        base = Int8ActPerTensorFloat if signed else Uint8ActPerTensorFloat
    rounding = {"half-up": HalfUpSte, "half-even": RoundSte, "floor": FloorSte}[target.rounding]
    quantiser = base.let(bit_width=chosen.bits, float_to_int_impl=rounding)
    if base is ShiftedUint8ActPerTensorFloat:
        return quantiser  # its range is an interval of percentiles, for which brevitas has no other statistic
    if chosen.scale == "power-of-two" and calibration == "mse":
        quantiser = quantiser.let(restrict_value_float_to_int_impl=RoundSte)
    return quantiser.let(scaling_stats_impl=_statistic(calibration, chosen.bits - signed))


def _statistic(calibration: str, magnitude_bits: int) -> Any:
    if calibration == "mse":
        return type("LeastSquares", (_LeastSquares,), {"levels": 2**magnitude_bits})
    return {"percentile": AbsPercentile, "max": AbsMax, "three-sigma": _ThreeSigma}[calibration]


class HalfUpSte(nn.Module):
    """Round to the nearest integer, halves up, with a gradient of 1: a shift behind a bias of one half does so."""

    def forward(self, x: Tensor) -> Tensor:
        return x + (torch.floor(x + 0.5) - x).detach()


class _ThreeSigma(nn.Module):
    """The larger size of mean - 3 sigma and mean + 3 sigma."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x.mean().abs() + _SIGMAS * x.std()


class _LeastSquares(nn.Module):
    """The threshold at which rounding and clipping together have the least mean square."""

    levels = 0

    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        x = x.detach().abs().flatten()
        thresholds = x.max().clamp_min(1e-10) * torch.arange(1, _CANDIDATES + 1) / _CANDIDATES
        return thresholds[torch.stack([self._error(x, threshold) for threshold in thresholds]).argmin()]

    def _error(self, x: Tensor, threshold: Tensor) -> Tensor:
        step = threshold / self.levels
        return (torch.round(x / step).clamp_max(self.levels - 1) * step - x).square().mean()
