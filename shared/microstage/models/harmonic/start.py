"""Where training starts: corrections of zero, a mean that is never started anew, and features worth looking at.

The half-cycle DFT takes all that is not symmetric for harmonics. An estimate that allows for a constant, and for no
harmonics beyond the 15th, errs elsewhere: where the two differ, something is to be corrected. The CNN begins with that
difference, harmonic by harmonic: an amplitude is the sum of half-wave rectified projections on phases around the
circle, which is what a convolution, ReLU and a second convolution compute. The LSTM begins by passing its features on.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from microstage.models.harmonic.definition import HALF_CYCLE, HARMONICS, PHASORS, SAMPLES_PER_CYCLE

__all__ = ["start"]

_KEPT = 1.5  # a keep head's bias: the decision is at one half
_OPEN = 1.5  # a gate's bias: sigmoid(1.5) is 0.82
_LARGE, _CERTAIN = 0.25, 8.0  # a difference, in terms of h, from which on it counts, and by how much
_LEVELS = (0.04, 0.1, 0.2, 0.35)  # of the difference of the two estimates, in terms of h
_HIGHEST, _LEFT = 15, 8
_GAIN = np.array((1.0, 16.0, 16.0, 16.0))  # of a harmonic's projections: all but the fundamental are small
_SPAN = np.array((12.0, 3.0, 3.0, 3.0))  # of a difference over the gain, as a feature
_CONSTANT = 8.0  # of the constant over the gain
_RANDOM = 0.3  # of the framework's own weights


@torch.no_grad()
def start(twin: nn.Module) -> None:
    """Overwrite what a float twin has from the framework."""
    d = twin.definition
    for h, head in enumerate(twin.heads):
        head.out.weight.zero_()
        head.out.bias.zero_()
        head.keep.weight.zero_()
        head.keep.bias.fill_(_KEPT)
        if d.hidden >= d.features and d.head_width >= 2 * (PHASORS + len(_LEVELS)):
            _detect(head, h, slice(d.cnn_features, d.features))
    _pass_on(twin.recurrent)
    phases = _odd((d.cnn_channels - 2 - 2 * _LEFT) // PHASORS)
    if d.kernel == d.samples >= HALF_CYCLE and phases >= 3 and d.cnn_features >= len(HARMONICS) + 3:
        _compare(twin.cnn, twin.wired.kernels, phases)


def _detect(head: nn.Module, harmonic: int, differences: slice) -> None:
    """Let the first units look for a large difference of steps, of either sign, which starts the mean anew.

    The next ones look for the difference of the two estimates of the harmonic, at several levels.
    """
    found = torch.zeros(PHASORS + len(_LEVELS), head.linear.in_features)
    found[:PHASORS, differences] = torch.eye(PHASORS)
    found[PHASORS:, harmonic] = 1.0
    levels = torch.tensor([*[_LARGE] * PHASORS, *_LEVELS])
    head.linear.weight[: 2 * len(found)] *= _RANDOM
    head.linear.weight[: 2 * len(found)] += torch.cat([found, -found])
    for first in (0, len(found)):
        head.linear.weight[first : first + PHASORS] = torch.cat([found, -found])[first : first + PHASORS]
    head.bn.bias[: 2 * len(found)] = -torch.cat([levels, levels])
    for first in (0, len(found)):
        head.keep.weight[:, first : first + PHASORS] = -_CERTAIN


def _odd(count: int) -> int:
    """Return how many phases `count` is worth: an even number of them is worth half as many."""
    return count - (count % 2 == 0)


def _pass_on(lstm: nn.LSTM) -> None:
    """Let each cell take up one feature, and forget it; those left over hold a difference of estimates for a while."""
    hidden, features = lstm.hidden_size, lstm.input_size
    for weight in (lstm.weight_ih_l0, lstm.weight_hh_l0):
        weight.mul_(_RANDOM)
    lstm.weight_ih_l0[:, -PHASORS:] = 0  # of a first step they are as large as they can be, and say nothing
    taken, forgotten, new, out = (
        slice(gate * hidden, (gate + 1) * hidden) for gate in range(4)
    )  # as torch stacks them
    cells = torch.arange(hidden)
    source = torch.where(cells < features, cells, features - PHASORS + cells % PHASORS)
    lstm.weight_ih_l0[new] += torch.eye(features)[source]
    lstm.bias_ih_l0.zero_()
    lstm.bias_hh_l0.zero_()
    lstm.bias_ih_l0[taken], lstm.bias_ih_l0[out] = _OPEN, _OPEN
    lstm.bias_ih_l0[forgotten] = torch.where(cells < features, -_OPEN, _OPEN)


def _compare(cnn: nn.Module, kernels: np.ndarray, phases: int) -> None:
    """Set the first features.

    They are differences of the two estimates' amplitudes, the constant of either sign, and how much of the window the
    second estimate leaves unexplained.
    """
    plain, (other, constant, left) = np.split(kernels, 2), _with_constant(kernels.shape[1])
    turns = np.exp(2j * np.pi * np.arange(phases) / phases)[:, None]
    pairs = zip(plain[0] + 1j * plain[1], other)
    rows = np.concatenate(
        [(estimate * turns).real for pair in pairs for estimate in pair] + [constant, -constant, left, -left]
    )
    gains = np.concatenate([_GAIN.repeat(2 * phases), np.full(2, _CONSTANT), np.full(2 * _LEFT, _GAIN[-1])])
    size = np.abs(rows).max(
        axis=1
    )  # kernels of size 1: one rate of learning, and one scale of integers, suits them all
    cnn.conv1.weight[: len(rows), 0] = _tensor(rows / size[:, None])
    cnn.bn1.weight[: len(rows)] = _tensor(gains * size)
    parts = np.cumsum([0, *[2 * phases] * len(HARMONICS), 1, 1, 2 * _LEFT])
    cnn.conv2.weight[: len(parts) - 1] = 0
    for feature, (start_, end) in enumerate(zip(parts, parts[1:])):
        cnn.conv2.weight[feature, start_:end] = 1
        if feature < len(HARMONICS):
            cnn.conv2.weight[feature, start_ : start_ + phases] = -1
            cnn.bn2.weight[feature] = np.pi / phases * _SPAN[feature]
    cnn.bn2.weight[len(parts) - 2] = 2 / _LEFT


def _with_constant(samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the least-squares fit of odd harmonics and a constant.

    Complex weights [4, samples] of H1, H3, H5, H7, those of the constant [1, samples], and those of what is left where
    it falls, too, at some samples [_LEFT, samples].
    """
    time = np.arange(samples)
    angles = 2 * np.pi * np.outer(time, np.arange(1, _HIGHEST + 1, 2)) / SAMPLES_PER_CYCLE
    waves, count = np.concatenate([np.cos(angles), np.sin(angles), np.ones((samples, 1))], axis=1), angles.shape[1]
    fit = np.linalg.pinv(waves)
    falling = np.concatenate([waves, time[:, None] / samples], axis=1)
    left = np.eye(samples) - falling @ np.linalg.pinv(falling)
    return fit[: len(HARMONICS)] - 1j * fit[count : count + len(HARMONICS)], fit[-1:], left[:: samples // _LEFT][:_LEFT]


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).float()
