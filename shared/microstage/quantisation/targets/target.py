"""What a network is quantised for. A target is data: a JSON file beside this module, or one of the user's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from microstage.errors import ParameterError
from microstage.quantisation.targets.fields import read_fields

__all__ = ["AS_DIANA", "Activations", "LayerRules", "Target", "Weights", "target_names"]

AS_DIANA = "as-diana"
_MOST_BITS = 8
_FOLDER = Path(__file__).parent


def _one_of(*words: str) -> Any:
    return field(metadata={"words": words})


@dataclass(frozen=True)
class Weights:
    """Integers of `bits`, without the lowest where `narrow`; one scale `per` output channel, or one in all.

    A scale of one `byte` is a whole number up to 255 times a power of two. A range is the largest weight (`max`), or
    the share of it with the least mean square of errors (`mse`).
    """

    bits: int
    narrow: bool
    scale: str = _one_of("power-of-two", "byte", "real")
    per: str = _one_of("channel", "tensor")
    rounding: str = _one_of("half-even", "floor")
    calibration: str = _one_of("mse", "max")


@dataclass(frozen=True)
class Activations:
    """Integers of `bits`. Behind a ReLU they are `unsigned`, or `signed` with an empty lower half.

    `affine` ones have a zero point.
    """

    bits: int
    affine: bool
    scale: str = _one_of("power-of-two", "real")
    relu: str = _one_of("signed", "unsigned")


@dataclass(frozen=True)
class LayerRules:
    """Which convolutions the hardware has."""

    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: str = _one_of("any", "same")
    groups: str = _one_of("any", "one-or-output")


@dataclass(frozen=True)
class Target:
    """Everything that quantising for one consumer depends on.

    `shift` holds the shifts that it can do, if it only shifts; `layers` the convolutions that it has, if not all.
    A `calibration` as-diana goes with no other pass (`as_diana`).
    """

    name: str
    summary: str
    weights: Weights
    activations: Activations
    rounding: str = _one_of("half-up", "half-even", "floor", "fixed-point")
    calibration: str = _one_of("best", "percentile", "max", "mse", "three-sigma", AS_DIANA)
    shift: tuple[int, int] | None = None
    layers: LayerRules | None = None

    def __post_init__(self) -> None:
        """Raise `ParameterError` for what does not go together."""
        scales = {self.weights.scale, self.activations.scale}
        if self.activations.affine and self.activations.scale != "real":
            raise ParameterError("activations.affine is true, which needs activations.scale to be 'real'")
        if self.shift is not None and scales != {"power-of-two"}:
            raise ParameterError("shift needs weights.scale and activations.scale to be 'power-of-two'")
        for name, bits in (("weights", self.weights.bits), ("activations", self.activations.bits)):
            if not 2 <= bits <= _MOST_BITS:
                raise ParameterError(f"{name}.bits is {bits}; expected 2 to {_MOST_BITS}")

    @property
    def border_rounding(self) -> str:
        """How real inputs are rounded to integers: half-even, unless the target floors everything."""
        return "floor" if self.rounding == "floor" else "half-even"

    @classmethod
    def load(cls, name: str | Path) -> Target:
        """Return the target of that name, or the one in a JSON file; `ParameterError` names what is wrong in it."""
        path = Path(name) if str(name).endswith(".json") else _FOLDER / f"{name}.json"
        if not path.is_file():
            raise ParameterError(f"TARGET={name} is none of {', '.join(target_names())}, and no .json file.")
        try:
            return cls.of({"name": path.stem, **_object(json.loads(path.read_text()))})
        except (ValueError, ParameterError) as error:
            raise ParameterError(f"Target {path}: {error}.") from None

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Target:
        """Return the target that `described` says, as the method of that name gives it."""
        return read_fields(cls, described)

    def described(self) -> dict[str, Any]:
        """Return the target as JSON values."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def target_names() -> list[str]:
    """Return the names of the targets that are built in."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def _object(described: Any) -> Mapping[str, Any]:
    if not isinstance(described, dict):
        raise ParameterError("it holds no object of fields")
    return described
