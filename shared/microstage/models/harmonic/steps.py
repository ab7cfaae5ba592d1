"""What both forms of the network do from step to step.

They keep the running mean of the wired estimate, which is started anew where the network says so, and follow the gain
that changes beneath it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from microstage.models.harmonic.definition import ESTIMATE_SCALE, LARGEST_ESTIMATE, MOST, PHASORS
from microstage.models.network import Network

__all__ = ["CORRECTION", "ChannelAffine", "Answers", "Stepped", "answer", "slide", "soft"]

CORRECTION = 2.0**-3  # of what a head gives, over the gain

# A difference of estimates over the gain, as the LSTM reads it: what changes between half cycles is a hundredth.
_DIFFERENCE = torch.tensor([16.0, 64.0, 64.0, 64.0] * 2)
_TOP = LARGEST_ESTIMATE * ESTIMATE_SCALE
_TINY = 1e-12  # of which a root has a slope
_FAR = 40  # powers of two from which on nothing is left of an estimate, or nothing fits
_POWERS = torch.ldexp(torch.ones(2 * _FAR + 1, dtype=torch.float64), torch.arange(_FAR, -_FAR - 1, -1)).float()


@dataclass(frozen=True)
class Answers:
    """Of each step [n, L, ...], real values over the gain of the step's window."""

    correction: Tensor
    estimate: Tensor
    sum: Tensor
    count: Tensor
    keep: Tensor
    hidden: Tensor

    @property
    def amplitudes(self) -> Tensor:
        return answer(self.sum, self.count, self.correction)


def answer(total: Tensor, count: Tensor, correction: Tensor) -> Tensor:
    """Return amplitudes over the gain; none is negative."""
    real, imaginary = total.chunk(2, dim=-1)
    size = torch.sqrt((real * real + imaginary * imaginary).clamp_min(_TINY))
    return (size / count + correction).clamp_min(0)


class ChannelAffine(nn.BatchNorm1d):
    """A gain, which is not learnt, and an offset per channel [n, C] or [n, C, L]: in the graph a batch norm."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=0.0)
        self.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return super().forward(x)
        shape = (-1,) + (1,) * (x.ndim - 2)
        return x * self.weight.view(shape) + self.bias.view(shape)


class Stepped(Network):
    """Steps by four parts that a form of the network has.

    `cnn(window)`, `estimate(window)`, `lstm(features)`, and `decide(hidden)`, which gives correction and keep.
    """

    exact = True  # whether estimates are multiples of their scale

    def forward(
        self, window: Tensor, estimate_1: Tensor, total: Tensor, count: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Take one step from the LSTM's zero state.

        window [n, 1, S], phasors [n, 8] and count [n, 4] -> correction, estimate, sum and count.
        """
        estimate = self.estimate(window)
        features = torch.cat([self.cnn(window), (estimate - estimate_1) * _DIFFERENCE], dim=1)
        correction, keep = self.decide(self.lstm(features[:, None])[0][:, 0])
        return correction, estimate, both(keep) * total + estimate, keep * count + 1

    def sequence(self, window: Tensor, shift: Tensor) -> Answers:
        """Return all steps of sequences.

        `window` [n, L, S]; `shift` [n, L] says by how much each exponent exceeds the one before.
        """
        return self._follow(*self._encode(window), shift)

    def taught(self, window: Tensor, shift: Tensor) -> Tensor:
        """Return what training looks at [n, 2 L, 4].

        That is the amplitudes at every step, then of each window as a first step.
        """
        cnn, estimate = self._encode(window)
        n, length, _ = cnn.shape
        alone = self._follow(
            cnn.reshape(n * length, 1, -1), estimate.reshape(n * length, 1, -1), shift.new_zeros(n * length, 1)
        )
        return torch.cat([self._follow(cnn, estimate, shift).amplitudes, alone.amplitudes.view(n, length, -1)], dim=1)

    def features(self, window: Tensor, shift: Tensor) -> Tensor:
        """Return what the LSTM reads at each step: [n, L, C]."""
        return self._features(*self._encode(window), shift)

    def _encode(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """Return the CNN's features [n, L, C] and the estimates [n, L, 8]."""
        n, length, samples = window.shape
        flat = window.reshape(n * length, 1, samples)
        return self.cnn(flat).view(n, length, -1), self.estimate(flat).view(n, length, PHASORS)

    def _features(self, cnn: Tensor, estimate: Tensor, shift: Tensor) -> Tensor:
        before = torch.cat([torch.zeros_like(estimate[:, :1]), -estimate[:, :-1]], dim=1)
        difference = (estimate - self._scaled(before, shift[..., None]).clamp(-_TOP, _TOP)) * _DIFFERENCE
        return torch.cat([cnn, difference], dim=2)

    def _follow(self, cnn: Tensor, estimate: Tensor, shift: Tensor) -> Answers:
        n, length, _ = cnn.shape
        hidden = self.lstm(self._features(cnn, estimate, shift))[0]
        correction, keep = (value.view(n, length, -1) for value in self.decide(hidden.reshape(n * length, -1)))
        total, count = self._means(estimate, keep, shift)
        return Answers(correction, estimate, total, count, keep, hidden)

    def _means(self, estimate: Tensor, keep: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        total, count = torch.zeros_like(estimate[:, 0]), torch.zeros_like(keep[:, 0])
        totals, counts = [], []
        for t in range(estimate.shape[1]):
            if t:
                total, count = self._settle(total, count, shift[:, t, None])
            total, count = both(keep[:, t]) * total + estimate[:, t], keep[:, t] * count + 1
            totals.append(total)
            counts.append(count)
        return torch.stack(totals, 1), torch.stack(counts, 1)

    def _settle(self, total: Tensor, count: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a step takes of the one before.

        The sum is turned and in units of the new gain, and has no more than MOST estimates in it.
        """
        largest, full = both(count) * _TOP, count >= MOST
        total = torch.maximum(torch.minimum(self._scaled(-total, shift), largest), -largest)
        halved = self._scaled(total, torch.ones_like(shift))
        return torch.where(both(full), halved, total), torch.where(full, torch.full_like(count, MOST / 2), count)

    def _scaled(self, value: Tensor, shift: Tensor) -> Tensor:
        """Return `value` over 2^shift; half a unit is rounded up."""
        scaled = value * _POWERS[shift.clamp(-_FAR, _FAR).long() + _FAR]
        if not self.exact:
            return scaled
        rounded = torch.floor(scaled.detach() / ESTIMATE_SCALE + 0.5) * ESTIMATE_SCALE
        return scaled + (rounded - scaled.detach())


def both(values: Tensor) -> Tensor:
    """Return what holds for each harmonic, for its real part and for its imaginary one."""
    return torch.cat([values, values], dim=-1)


def slide(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Convolve x [n, C, L] as one matrix product: many times faster than the framework's own without oneDNN."""
    columns = x.unfold(2, weight.shape[2], stride).transpose(1, 2).reshape(-1, weight[0].numel())
    return (columns @ weight.flatten(1).t()).view(len(x), -1, len(weight)).transpose(1, 2)


def soft(keep: Tensor) -> Tensor:
    """Return what a decision at one half is to a gradient."""
    return torch.sigmoid(4 * (keep - 0.5))
