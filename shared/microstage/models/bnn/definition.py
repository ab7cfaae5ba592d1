"""Shapes and widths of the binary networks; no framework is imported here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from microstage.datasets.images import cifar10, mnist
from microstage.datasets.images.image_set import CLASSES
from microstage.errors import ModelError
from microstage.models.definition import FILE, Definition, FamilyDefinition

__all__ = ["BinaryDefinition", "Convolution"]

_HIDDEN_LAYERS = 3
_KERNEL, _POOL = 3, 2
# Channels of CNV's convolutions in widths of the first, and whether the image is halved behind each.
_CONVOLUTIONS = ((1, False), (1, True), (2, False), (2, True), (4, False), (4, False))
_CONVOLUTIONAL_HEAD = (8, 8)
_LARGEST = 2048


@dataclass(frozen=True)
class Convolution:
    """3 x 3 without padding, then a quantiser, then a 2 x 2 pool if `pooled`.

    `outputs` are pixels across before the pool.
    """

    inputs: int
    channels: int
    outputs: int
    pooled: bool


@dataclass(frozen=True)
class BinaryDefinition(FamilyDefinition):
    """Everything that `network.BinaryNetwork` is built from. Widths are in bits."""

    width: int
    weight_bits: int
    act_bits: int
    input_bits: int
    dropout: float

    @property
    def convolutional(self) -> bool:
        return self.model.startswith("cnv")

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return cifar10.SHAPE if self.convolutional else mnist.SHAPE

    @property
    def classes(self) -> list[str]:
        return list(cifar10.NAMES) if self.convolutional else [str(digit) for digit in range(CLASSES)]

    @property
    def convolutions(self) -> list[Convolution]:
        found: list[Convolution] = []
        channels, size, _ = self.image
        for factor, pooled in _CONVOLUTIONS if self.convolutional else ():
            size -= _KERNEL - 1
            found.append(Convolution(channels, factor * self.width, size, pooled))
            channels, size = factor * self.width, size // _POOL if pooled else size
        return found

    @property
    def widths(self) -> list[int]:
        """Of every fully connected layer, what enters the first to the classes."""
        if self.convolutional:
            return [self.convolutions[-1].channels, *(factor * self.width for factor in _CONVOLUTIONAL_HEAD), CLASSES]
        channels, height, width = self.image
        return [channels * height * width, *[self.width] * _HIDDEN_LAYERS, CLASSES]

    @property
    def weights(self) -> int:
        """Weights, batch norms being thresholds."""
        kernels = sum(c.inputs * c.channels * _KERNEL**2 for c in self.convolutions)
        return kernels + sum(a * b for a, b in zip(self.widths, self.widths[1:]))

    @property
    def multiply_accumulates(self) -> int:
        """Of one image."""
        kernels = sum(c.inputs * c.channels * _KERNEL**2 * c.outputs**2 for c in self.convolutions)
        return kernels + sum(a * b for a, b in zip(self.widths, self.widths[1:]))

    def save(self, folder: Path) -> None:
        """Write `model_def.json`."""
        about = {
            "classes": self.classes,
            "weights": self.weights,
            "multiply_accumulates": self.multiply_accumulates,
            "inputs": {"image": {"range": [0, 255], "scale": 1.0, "unit": "grey level"}},
            "units": {"image": "grey level", "answer": "class"},
            "retrained": f"{self.model.partition('-')[0]}-w{self.weight_bits}a{self.act_bits}_retrained.onnx",
        }
        Definition(asdict(self), about).save(folder)

    @classmethod
    def load(cls, folder: Path) -> BinaryDefinition:
        """Read `model_def.json`; `ModelError` if it describes a network of impossible sizes."""
        definition = cls._read(folder, "a binary network")
        for name, value in asdict(definition).items():
            if name == "dropout":
                fits = type(value) in (int, float) and 0 <= value < 1
            else:
                fits = name == "model" or type(value) is int and 0 < value <= (8 if name.endswith("bits") else _LARGEST)
            if not fits:
                raise ModelError(f"{folder / FILE} gives {name}={value!r}, which no binary network has.")
        return definition
