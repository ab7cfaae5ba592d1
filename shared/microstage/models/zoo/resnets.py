"""ResNet18, 34 and 50 for small pictures: He et al., with a stem of 3 x 3 in the place of 7 x 7 at stride 2."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["BasicBlock", "Bottleneck", "DeepResNet"]


class DeepResNet(nn.Module):
    """Pictures [n, channels, height, width] -> scores [n, classes].

    Four stages of `blocks` residual blocks each, every stage but the first at half of the size, and each of twice the
    width of the one before.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        kind: type[BasicBlock] | type[Bottleneck],
        blocks: tuple[int, int, int, int],
        width: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(shape[0], width, 3, padding=1, bias=False)
        self.norm, self.relu = nn.BatchNorm2d(width), nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        inputs, made = width, []
        for stage, count in enumerate(blocks):
            for place in range(count):
                made.append(kind(inputs, width << stage, 2 if stage and not place else 1))
                inputs = (width << stage) * kind.expansion
        self.blocks, self.pool = nn.Sequential(*made), nn.AdaptiveAvgPool2d(1)
        self.flatten, self.scores = nn.Flatten(), nn.Linear(inputs, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.norm(self.conv(pictures))))
        return self.scores(self.flatten(self.pool(self.blocks(x))))


class BasicBlock(nn.Module):
    """Two convolutions of 3 x 3 beside the identity, or beside one of 1 x 1 where shapes differ."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _normed(inputs, width, 3, stride)
        self.relu1 = nn.ReLU()
        self.conv2, self.norm2 = _normed(width, width, 3)
        self.downsample, self.relu2 = _skip(inputs, width, stride), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.norm1(self.conv1(x)))
        return self.relu2(self.norm2(self.conv2(y)) + self.downsample(x))


class Bottleneck(nn.Module):
    """Convolutions of 1 x 1, 3 x 3 and 1 x 1 onto four times the width, beside the identity as in `BasicBlock`."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _normed(inputs, width, 1)
        self.relu1 = nn.ReLU()
        self.conv2, self.norm2 = _normed(width, width, 3, stride)
        self.relu2 = nn.ReLU()
        self.conv3, self.norm3 = _normed(width, width * self.expansion, 1)
        self.downsample, self.relu3 = _skip(inputs, width * self.expansion, stride), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.norm1(self.conv1(x)))
        y = self.relu2(self.norm2(self.conv2(y)))
        return self.relu3(self.norm3(self.conv3(y)) + self.downsample(x))


def _normed(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return conv, nn.BatchNorm2d(outputs)


def _skip(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 and inputs == outputs else nn.Sequential(*_normed(inputs, outputs, 1, stride))
