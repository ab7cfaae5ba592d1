"""VGG11 and VGG16 with batch norms, as for CIFAR-10: convolutions of 3 x 3, and scores of what is left of the plane."""

from __future__ import annotations

from torch import Tensor, nn

from microstage.models.floats.mobilenet_v2 import convolved

__all__ = ["Vgg"]

_WIDTHS = (1, 2, 4, 8, 8)  # of the five stages, in units of the first


class Vgg(nn.Module):
    """Pictures [n, channels, side, side] -> scores [n, classes].

    Five stages of `convolutions` each; a maximum halves the plane behind each of them, until one pixel is left.
    """

    def __init__(self, shape: tuple[int, int, int], convolutions: tuple[int, ...], width: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, side = shape[0], shape[1]
        for factor, count in zip(_WIDTHS, convolutions):
            for _ in range(count):
                layers += convolved(inputs, factor * width, 3)
                inputs = factor * width
            if side > 1:
                layers.append(nn.MaxPool2d(2))
                side //= 2
        self.features, self.flatten = nn.Sequential(*layers), nn.Flatten()
        self.scores = nn.Linear(inputs * side * side, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.scores(self.flatten(self.features(pictures)))
