"""LeNet-5, as for digits of 28 x 28."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["LeNet"]

_WIDTHS = (6, 16, 120, 84)  # as published: three convolutions and a layer before the scores
_KERNEL = 5


class LeNet(nn.Module):
    """Pictures [n, channels, side, side] -> scores [n, classes].

    The third convolution covers all that is left of 28 pixels, and leaves more of 32.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, classes: int) -> None:
        super().__init__()
        first, second, third, last = (max(1, one * width // _WIDTHS[0]) for one in _WIDTHS)
        left = (shape[1] // 2 - _KERNEL + 1) // 2 - _KERNEL + 1
        self.c1, self.relu1 = nn.Conv2d(shape[0], first, _KERNEL, padding=_KERNEL // 2), nn.ReLU()
        self.s2 = nn.AvgPool2d(2)
        self.c3, self.relu3 = nn.Conv2d(first, second, _KERNEL), nn.ReLU()
        self.s4 = nn.AvgPool2d(2)
        self.c5, self.relu5 = nn.Conv2d(second, third, _KERNEL), nn.ReLU()
        self.flatten = nn.Flatten()
        self.f6, self.relu6 = nn.Linear(third * left * left, last), nn.ReLU()
        self.output = nn.Linear(last, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.s2(self.relu1(self.c1(pictures)))
        x = self.s4(self.relu3(self.c3(x)))
        x = self.flatten(self.relu5(self.c5(x)))
        return self.output(self.relu6(self.f6(x)))
