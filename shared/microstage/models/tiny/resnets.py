"""Residual networks for pictures of 32 x 32: that of MLPerf Tiny with eight layers, that of He et al. with twenty."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ResNet"]

_STAGES = 3


class ResNet(nn.Module):
    """Pictures [n, 3, height, width] -> scores [n, classes].

    Three stages of `blocks` residual blocks, each stage at half of the size and twice the `width` of the one before;
    one block a stage makes ResNet8, three make ResNet20.
    """

    def __init__(self, blocks: int, width: int, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.norm, self.relu = nn.BatchNorm2d(width), nn.ReLU()
        channels = [width, *(width << stage for stage in range(_STAGES) for _ in range(blocks))]
        self.blocks = nn.Sequential(*(Residual(one, other) for one, other in zip(channels, channels[1:])))
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.scores = nn.Linear(channels[-1], classes)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv(pictures)))
        return self.scores(self.flatten(self.pool(self.blocks(x))))


class Residual(nn.Module):
    """Two convolutions beside the identity; where channels grow, at half of the size and beside a convolution 1 x 1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1, self.relu1 = nn.BatchNorm2d(outputs), nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2, self.relu2 = nn.BatchNorm2d(outputs), nn.ReLU()
        self.skip = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.norm1(self.conv1(x)))
        return self.relu2(self.norm2(self.conv2(y)) + self.skip(x))
