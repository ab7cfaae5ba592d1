"""MobileNetV2, and the convolutions that it and other small networks are made of."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["MobileNetV2", "convolved", "scores"]

# (expansion, channels of 32, blocks, stride of the first) as published; the second has stride 1 for CIFAR-10.
_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_FOR_CIFAR10 = (_BLOCKS[0], (6, 24, 2, 1), *_BLOCKS[2:])
_WIDTH, _LAST = 32, 1280


class MobileNetV2(nn.Module):
    """Pictures [n, channels, height, width] -> scores [n, classes], of the published widths at width 32.

    `halvings` is how often the plane is halved: three times as for CIFAR-10, or four times.
    """

    def __init__(self, width: int, classes: int, channels: int = 3, halvings: int = 3) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        inputs, last = width, max(1, _LAST * width // _WIDTH)
        for expansion, factor, count, first in _FOR_CIFAR10 if halvings == 3 else _BLOCKS:
            outputs = max(1, factor * width // _WIDTH)
            for stride in (first, *[1] * (count - 1)):
                blocks.append(Inverted(inputs, outputs, expansion, stride))
                inputs = outputs
        self.first, self.blocks = nn.Sequential(*convolved(channels, width, 3)), nn.Sequential(*blocks)
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


def convolved(
    inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Return a convolution padded by half of its kernel, its batch norm and a ReLU."""
    padding = kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


def scores(channels: int, classes: int) -> nn.Sequential:
    """Return the mean over the plane, and one score a class."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
