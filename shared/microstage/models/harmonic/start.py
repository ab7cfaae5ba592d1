"""Where training starts: the four amplitudes, roughly, written into the float twin's weights.

A harmonic's amplitude is the sum of its half-wave rectified projections on phases around the circle, and that is what a
convolution, ReLU and a second convolution compute. With an odd number k of phases the ripple of that sum is 2 / (4k^2 - 1),
with an even one as large as with k / 2. Each LSTM cell starts by passing one feature on, with its gates mostly open.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from microstage.models.harmonic.definition import HARMONICS, SAMPLES_PER_CYCLE

__all__ = ["start_as_estimate"]

_RANDOM = 0.1  # of the framework's own initial weights, beside what is written
_FEATURE_SPREAD = 0.4  # standard deviation of a feature; the LSTM's input quantiser ends at 1
_OPEN = 1.5  # a gate's bias: sigmoid(1.5) is 0.82


@torch.no_grad()
def start_as_estimate(cnn: nn.Module, lstm: nn.LSTM) -> None:
    """Overwrite conv1 [C, 1, K], conv2 [C, C, k], bn2 and the LSTM's weights."""
    order, phase, rank = _phases(len(cnn.conv1.weight))
    cnn.conv1.weight.copy_(_pieces(order, phase, cnn.conv1.weight.shape[2]))
    cnn.conv2.weight.mul_(_RANDOM)
    own = (order[:, None] == order[None, :]).float() * math.pi / (len(order) / len(HARMONICS))
    taps = cnn.conv2.weight.shape[2]
    for channel, row in enumerate(own):
        cnn.conv2.weight[channel, :, rank[channel] % taps] += row
    cnn.bn2.weight.fill_(_FEATURE_SPREAD)
    _pass_on(lstm)


def _phases(channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Per channel its harmonic, its phase in turns, and its rank among those of that harmonic; the fundamental gets what is left over."""
    each = channels // len(HARMONICS)
    each -= each > 0 and each % 2 == 0
    counts = torch.tensor([channels - each * (len(HARMONICS) - 1), *[each] * (len(HARMONICS) - 1)])
    order = torch.tensor(HARMONICS).repeat_interleave(counts)
    rank = torch.cat([torch.arange(count) for count in counts])
    return order, rank / counts.repeat_interleave(counts), rank


def _pieces(order: Tensor, phase: Tensor, kernel: int) -> Tensor:
    """Kernels [C, 1, kernel] of unit length: `kernel` samples of each harmonic."""
    turns = order[:, None] * torch.arange(kernel) / SAMPLES_PER_CYCLE + phase[:, None]
    pieces = torch.cos(2 * math.pi * turns.double())
    return (pieces / pieces.norm(dim=1, keepdim=True).clamp_min(1e-3)).float()[:, None]


def _pass_on(lstm: nn.LSTM) -> None:
    hidden, features = lstm.hidden_size, lstm.input_size
    for weight in (lstm.weight_ih_l0, lstm.weight_hh_l0):
        weight.mul_(_RANDOM)
    taken, forgotten, new, out = (slice(gate * hidden, (gate + 1) * hidden) for gate in range(4))  # as torch stacks them
    lstm.weight_ih_l0[new] += torch.eye(features)[torch.arange(hidden) % features]
    lstm.bias_ih_l0.zero_()
    lstm.bias_hh_l0.zero_()
    lstm.bias_ih_l0[taken], lstm.bias_ih_l0[forgotten], lstm.bias_ih_l0[out] = _OPEN, -_OPEN, _OPEN
