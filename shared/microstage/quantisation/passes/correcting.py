"""Move each layer's output back to where the float network has it, by its bias and by the size of its weights."""

from __future__ import annotations

import torch
from torch import Tensor

from microstage.quantisation.quantisers.scales import LayerWithWeights
from microstage.quantisation.quantisers.weight_scales import fit_layer

__all__ = ["match_mean", "match_norm"]

_LARGEST_GAIN = 1.25  # a channel whose size is further off is not the same any more


@torch.no_grad()
def match_mean(layer: LayerWithWeights, given: Tensor, wanted: Tensor) -> None:
    """Give each channel of `layer` the mean of `wanted` [n, channels, ...]; it now gives `given`."""
    layer.bias.add_(_moments(wanted)[0] - _moments(given)[0])


@torch.no_grad()
def match_norm(layer: LayerWithWeights, given: Tensor, wanted: Tensor) -> None:
    """Give each channel of `layer` the mean and the deviation of `wanted` [n, channels, ...]; it now gives `given`."""
    mean, deviation = _moments(given)
    wanted_mean, wanted_deviation = _moments(wanted)
    gain = torch.where(deviation > 0, wanted_deviation / deviation, torch.ones_like(deviation))
    gain = gain.clamp(1 / _LARGEST_GAIN, _LARGEST_GAIN)
    layer.weight.mul_(gain.reshape(-1, *[1] * (layer.weight.ndim - 1)))
    layer.bias.copy_(layer.bias * gain + wanted_mean - mean * gain)
    fit_layer(layer)


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of each channel."""
    channels = values.transpose(0, 1).flatten(1)
    return channels.mean(1), channels.std(1, unbiased=False)
