"""The autoencoder of MLPerf Tiny's anomaly detection: what it cannot say again, it never heard."""

from __future__ import annotations

from itertools import chain

from torch import Tensor, nn

__all__ = ["Autoencoder"]

_DEPTH, _BOTTLENECK = 4, 16  # layers on either side of the bottleneck, which is a sixteenth of their width


class Autoencoder(nn.Module):
    """Features [n, inputs] -> the same again, through four layers of `width`, one of a sixteenth, and four more."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        side = [width] * _DEPTH
        widths = [inputs, *side, max(1, width // _BOTTLENECK), *side]
        hidden = (
            (nn.Linear(one, other, bias=False), nn.BatchNorm1d(other), nn.ReLU())
            for one, other in zip(widths, widths[1:])
        )
        self.layers = nn.Sequential(*chain(*hidden), nn.Linear(width, inputs))

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)
