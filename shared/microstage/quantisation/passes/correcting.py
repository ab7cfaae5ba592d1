"""Move each layer's output back to where the float network has it, by its bias and by the size of its weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from brevitas.graph.calibrate import bias_correction_mode
from torch import Tensor, nn

from microstage.process.progress import progress
from microstage.quantisation.quantisers.scales import LayerWithWeights
from microstage.quantisation.quantisers.weight_scales import fit_layer

__all__ = ["correct_bias", "match_norm"]

_LARGEST_GAIN = 1.25  # a channel whose size is further off is not the same any more


@torch.no_grad()
def correct_bias(network: nn.Module, batches: Sequence[Tensor]) -> None:
    """Add to each bias the mean by which quantising moved that layer's output, one layer after another."""
    with bias_correction_mode(network):
        for batch in progress(batches, len(batches), "biases"):
            network(batch)


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
