"""The harmonic network in float32: trained first, and the measure of what quantising costs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from microstage.models.harmonic.definition import HARMONICS, PHASORS, HarmonicDefinition
from microstage.models.harmonic.start import start
from microstage.models.harmonic.steps import CORRECTION, ChannelAffine, Stepped, slide, soft
from microstage.models.harmonic.wired import Wired, half_cycle

__all__ = ["GATES", "IO_RANGE", "FloatTwin"]

IO_RANGE = 1.0
# In levels of an 8-bit quantiser: the last h passes the cell's and its own.
_FEATURE_NOISE, _HIDDEN_NOISE = 0.5, 2.0
GATES = ("input", "forget", "cell", "output")  # as torch stacks them


class _FloatConvolutions(nn.Module):
    def __init__(self, d: HarmonicDefinition) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, d.cnn_channels, d.kernel, d.stride, bias=False)
        self.bn1 = ChannelAffine(d.cnn_channels)
        self.conv2 = nn.Conv1d(d.cnn_channels, d.cnn_features, d.positions, bias=False)
        self.bn2 = ChannelAffine(d.cnn_features)

    def forward(self, window: Tensor) -> Tensor:
        x = torch.relu(self.bn1(slide(window, self.conv1.weight, self.conv1.stride[0])))
        return self.bn2(slide(x, self.conv2.weight, 1)).flatten(1)


class _FloatEstimate(nn.Module):
    def __init__(self, d: HarmonicDefinition, wired: Wired) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, PHASORS, d.samples, bias=False).requires_grad_(False)
        self.conv.weight.copy_(torch.from_numpy(wired.kernels)[:, None])

    def forward(self, window: Tensor) -> Tensor:
        return slide(window, self.conv.weight, 1).flatten(1)


class _FloatHead(nn.Module):
    def __init__(self, d: HarmonicDefinition) -> None:
        super().__init__()
        self.linear = nn.Linear(d.hidden, d.head_width, bias=False)
        self.bn = ChannelAffine(d.head_width)
        self.out, self.keep = nn.Linear(d.head_width, 1), nn.Linear(d.head_width, 1)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.relu(self.bn(self.linear(hidden)))
        return self.out(x), self.keep(x)


class FloatTwin(Stepped):
    exact = False

    def __init__(self, definition: HarmonicDefinition, wired: Wired | None = None) -> None:
        """Build the twin; `wired` is the estimate, by default the DFT over half a cycle."""
        super().__init__()
        d = self.definition = definition
        self.wired = wired or half_cycle(d.samples)
        self.cnn, self.estimate = _FloatConvolutions(d), _FloatEstimate(d, self.wired)
        self.recurrent = nn.LSTM(d.features, d.hidden, batch_first=True)
        self.heads = nn.ModuleList(_FloatHead(d) for _ in HARMONICS)
        start(self)

    def lstm(self, features: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run the LSTM, its features held where the io quantiser will clip."""
        return self.recurrent(self._roughened(features.clamp(-IO_RANGE, IO_RANGE), _FEATURE_NOISE))

    def decide(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return correction and keep, which is soft in training: hidden [n, H] -> [n, 4] each."""
        hidden = self._roughened(hidden, _HIDDEN_NOISE)
        correction, keep = (torch.cat(parts, dim=1) for parts in zip(*(head(hidden) for head in self.heads)))
        return CORRECTION * correction, soft(keep) if self.training else (keep > 0.5).float()

    def _roughened(self, value: Tensor, levels: float) -> Tensor:
        """Add, in training, uniform noise as wide as `levels` of an 8-bit quantiser, which has to be survived."""
        return value + (torch.rand_like(value) - 0.5) * (levels * IO_RANGE / 128) if self.training else value

    @torch.no_grad()
    def cell_ranges(self, window: Tensor, shift: Tensor) -> dict[str, float]:
        """Return the largest magnitude that each quantiser inside the LSTM has to hold, by its name, over sequences."""
        self.eval()
        largest: dict[str, float] = {}

        def seen(name: str, value: Tensor) -> Tensor:
            largest[name] = max(largest.get(name, 0.0), float(value.abs().max()))
            return value

        features, weight = self.features(window, shift), dict(self.recurrent.named_parameters())
        hidden = cell = torch.zeros(len(features), self.definition.hidden)
        for step in features.clamp(-IO_RANGE, IO_RANGE).unbind(1):
            sums = nn.functional.linear(step, weight["weight_ih_l0"], weight["bias_ih_l0"])
            sums = sums + nn.functional.linear(hidden, weight["weight_hh_l0"], weight["bias_hh_l0"])
            gate = dict(zip(GATES, sums.chunk(4, dim=1)))
            for name, value in gate.items():
                seen(f"{name}_acc", value)
            new = seen("cell_tanh", torch.tanh(gate["cell"]))
            kept = seen("cell_state", torch.sigmoid(gate["forget"]) * cell)
            cell = seen("cell_state", kept + torch.sigmoid(gate["input"]) * new)
            hidden = torch.sigmoid(gate["output"]) * seen("hidden_state_tanh", torch.tanh(cell))
        return largest
