"""Networks of depthwise and pointwise convolutions: MobileNetV1, MobileNetV2, and DS-CNN, which hears words."""

from __future__ import annotations

from itertools import chain

from torch import Tensor, nn

__all__ = ["DsCnn", "MobileNetV1", "MobileNetV2"]

# Of each block in units of the first convolution's width: (channels, stride). 32 of them are the published alpha of 1.
_V1 = ((2, 1), (4, 2), (4, 1), (8, 2), (8, 1), (16, 2), *((16, 1),) * 5, (32, 2), (32, 1))
# (expansion, channels of 32, blocks, stride of the first) as for CIFAR-10, where pictures are halved three times.
_V2 = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_V2_WIDTH, _V2_LAST = 32, 1280


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


class MobileNetV2(nn.Module):
    """Pictures [n, 3, 32, 32] -> scores [n, classes], as for CIFAR-10 at width 32."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        inputs, last = width, max(1, _V2_LAST * width // _V2_WIDTH)
        for expansion, channels, count, first in _V2:
            outputs = max(1, channels * width // _V2_WIDTH)
            for stride in (first, *[1] * (count - 1)):
                blocks.append(Inverted(inputs, outputs, expansion, stride))
                inputs = outputs
        self.first, self.blocks = nn.Sequential(*convolved(3, width, 3)), nn.Sequential(*blocks)
        self.last, self.head = nn.Sequential(*convolved(inputs, last, 1)), scores(last, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.last(self.blocks(self.first(pictures))))


class Inverted(nn.Module):
    """Expand, convolve each channel alone, project without an activation; beside the identity where that fits."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = nn.Sequential(*convolved(inputs, inner, 1))
        self.depthwise = nn.Sequential(*convolved(inner, inner, 3, stride, groups=inner))
        self.project = nn.Sequential(nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


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


def convolved(
    inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Return a convolution padded by half of its kernel, its batch norm and a ReLU."""
    padding = kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


def separable(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    """Return a convolution of each channel alone, then one of all channels at each place."""
    return [*convolved(inputs, inputs, 3, stride, inputs), *convolved(inputs, outputs, 1)]


def scores(channels: int, classes: int) -> nn.Sequential:
    """Return the mean over the plane, and one score a class."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
