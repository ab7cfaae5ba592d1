"""Shape and widths of the keyword spotting network; no framework is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from microstage.datasets.speech.clips import CLASSES
from microstage.errors import ModelError
from microstage.files.canonical import write_json
from microstage.models.definition import FILE, read
from microstage.models.kws.features import CEPSTRA, COEFFICIENTS, FRAMES

__all__ = ["KeywordDefinition"]


@dataclass(frozen=True)
class KeywordDefinition:
    """Everything that `network.KeywordNetwork` is built from. Widths are in bits.

    Features beyond +-`input_range` are clipped. Defaults are those of PARAMETERS in this package.
    """

    model: str
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

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], input_range: float) -> KeywordDefinition:
        """Return the definition that a stage's parameters describe; others are ignored."""
        given = {**parameters, "input_range": input_range}
        return cls(**{field.name: given[field.name] for field in fields(cls)})

    def save(self, folder: Path) -> None:
        """Write `model_def.json`."""
        own = asdict(self)
        model = own.pop("model")
        write_json(
            folder / FILE,
            {
                "model": model,
                "parameters": own,
                "classes": list(CLASSES),
                "weights": self.weights,
                "multiply_accumulates": self.weights,
                "units": {
                    "mfcc": "mel-frequency cepstral coefficient",
                    "features": "mel-frequency cepstral coefficient",
                    "logits": "logit",
                },
                "sound": CEPSTRA.described(),
            },
        )

    @classmethod
    def load(cls, folder: Path) -> KeywordDefinition:
        """Read `model_def.json`; `ModelError` if it describes a network of impossible sizes."""
        described = read(folder)
        try:
            definition = cls(model=described["model"], **described["parameters"])
        except (KeyError, TypeError) as error:
            raise ModelError(f"{folder / FILE} is no definition of a keyword network: {error}.") from None
        for name, value in asdict(definition).items():
            kind = float if name in ("input_range", "dropout") else int
            if name != "model" and (
                type(value) not in (kind, int) or not 0 <= value <= 4096 or name != "dropout" and not value
            ):
                raise ModelError(f"{folder / FILE} gives {name}={value!r}; expected a positive number up to 4096.")
        return definition
