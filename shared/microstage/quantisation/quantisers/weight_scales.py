"""Choose the scales of weights: per channel, or one for a layer, those with which rounding moves them least."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from microstage.quantisation.quantisers.scales import LayerWithWeights, layers_with_weights, set_weight_thresholds

__all__ = ["fit_layer", "fit_weights", "round_scales"]

_SHARES = tuple(step / 32 for step in range(12, 33))  # of the largest weight: a search tries each


@torch.no_grad()
def fit_weights(network: nn.Module, calibration: str = "mse") -> None:
    """Set the scales of all weights: by the largest (`max`), or by the least mean square (`mse`)."""
    for _, layer in layers_with_weights(network):
        fit_layer(layer, _SHARES if calibration == "mse" else (1.0,))


@torch.no_grad()
def fit_layer(layer: LayerWithWeights, shares: tuple[float, ...] = _SHARES) -> None:
    """Give each channel the share of its largest weight at which rounding and clipping have the least mean square."""
    largest = _per_scale(layer, layer.weight.abs()).amax(1)
    errors = torch.stack([_squared_error(layer, largest * share) for share in shares])
    set_weight_thresholds(layer, largest * torch.tensor(shares)[errors.argmin(0)])


@torch.no_grad()
def round_scales(network: nn.Module) -> None:
    """Give weights the nearest scale that is a whole number of eight bits times a power of two."""
    for _, layer in layers_with_weights(network):
        mantissa, exponent = torch.frexp(layer.quant_weight().scale.flatten())
        scale = torch.ldexp((mantissa * 256).round(), exponent - 8)
        highest = 2 ** (int(layer.quant_weight_bit_width()) - 1) - int(layer.weight_quant.is_narrow_range)
        set_weight_thresholds(layer, scale * highest)


def _squared_error(layer: LayerWithWeights, thresholds: Tensor) -> Tensor:
    set_weight_thresholds(layer, thresholds)
    return _per_scale(layer, (layer.quant_weight().value - layer.weight).square()).sum(1)


def _per_scale(layer: LayerWithWeights, values: Tensor) -> Tensor:
    """Return [scales, weights that have it]."""
    return values.reshape(layer.weight_quant.tensor_quant.scaling_impl.value.numel(), -1)
