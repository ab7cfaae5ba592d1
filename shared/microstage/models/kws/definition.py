"""Shape and widths of the keyword spotting network; no framework is imported here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from microstage.datasets.speech.cepstra import CEPSTRA, COEFFICIENTS, FRAMES
from microstage.datasets.speech.clips import CLASSES
from microstage.errors import ModelError
from microstage.models.definition import FILE, Definition, FamilyDefinition

__all__ = ["KeywordDefinition"]


@dataclass(frozen=True)
class KeywordDefinition(FamilyDefinition):
    """Everything that `network.KeywordNetwork` is built from. Widths are in bits.

    Features beyond +-`input_range` are clipped. Defaults are those of PARAMETERS in this package.
    """

    input_range: float
    hidden: int
    layers: int
    dropout: float
    input_bits: int
    weight_bits: int
    act_bits: int

    @property
    def inputs(self) -> int:
        return COEFFICIENTS * FRAMES

    @property
    def widths(self) -> list[int]:
        """Of every layer, from the features to the classes."""
        return [self.inputs, *[self.hidden] * self.layers, len(CLASSES)]

    @property
    def weights(self) -> int:
        """Weights, which are multiply-accumulates too; batch norms are folded into thresholds."""
        return sum(a * b for a, b in zip(self.widths, self.widths[1:]))

    @property
    def input_scale(self) -> float:
        """What one level of the features is."""
        return self.input_range / (2 ** (self.input_bits - 1) - 1)

    def save(self, folder: Path) -> None:
        """Write `model_def.json`."""
        coefficient = "mel-frequency cepstral coefficient"
        about = {
            "classes": list(CLASSES),
            "weights": self.weights,
            "multiply_accumulates": self.weights,
            "units": {"mfcc": coefficient, "features": coefficient, "logits": "logit"},
            "sound": CEPSTRA.described(),
        }
        Definition(asdict(self), about).save(folder)

    @classmethod
    def load(cls, folder: Path) -> KeywordDefinition:
        """Read `model_def.json`; `ModelError` if it describes a network of impossible sizes."""
        definition = cls._read(folder, "a keyword network")
        for name, value in asdict(definition).items():
            kind = float if name in ("input_range", "dropout") else int
            if name != "model" and (
                type(value) not in (kind, int) or not 0 <= value <= 4096 or name != "dropout" and not value
            ):
                raise ModelError(f"{folder / FILE} gives {name}={value!r}; expected a positive number up to 4096.")
        return definition
