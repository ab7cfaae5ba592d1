"""Networks of depthwise and pointwise convolutions: MobileNetV1, and DS-CNN, which hears words."""

from __future__ import annotations

from itertools import chain

from torch import Tensor, nn

from microstage.models.floats.mobilenet_v2 import convolved, scores

__all__ = ["DsCnn", "MobileNetV1"]

# Of each block in units of the first convolution's width: (channels, stride). 32 of them are the published alpha of 1.
_V1 = ((2, 1), (4, 2), (4, 1), (8, 2), (8, 1), (16, 2), *((16, 1),) * 5, (32, 2), (32, 1))


class MobileNetV1(nn.Module):
    """Pictures [n, 3, size, size] -> scores [n, classes]; MLPerf Tiny's for person detection at width 8, size 96."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        channels = [width, *(factor * width for factor, _ in _V1)]
        blocks = (separable(one, other, stride) for one, other, (_, stride) in zip(channels, channels[1:], _V1))
        self.layers = nn.Sequential(*convolved(3, width, 3, 2), *chain(*blocks))
        self.head = scores(channels[-1], classes)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.layers(pictures))


class DsCnn(nn.Module):
    """Cepstra [n, 1, 49, 10] -> scores [n, classes]; MLPerf Tiny's for keyword spotting at width 64.

    Its first kernel is 7 x 5 where the published one is 10 x 4: kernels of accelerators such as DIANA are odd.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        blocks = (separable(width, width, 1) for _ in range(4))
        self.layers = nn.Sequential(*convolved(1, width, (7, 5), 2), nn.Dropout(0.2), *chain(*blocks), nn.Dropout(0.4))
        self.head = scores(width, classes)

    def forward(self, cepstra: Tensor) -> Tensor:
        return self.head(self.layers(cepstra))


def separable(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    """Return a convolution of each channel alone, then one of all channels at each place."""
    return [*convolved(inputs, inputs, 3, stride, inputs), *convolved(inputs, outputs, 1)]
