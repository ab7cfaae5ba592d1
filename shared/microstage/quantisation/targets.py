"""What a network is quantised for. A target is data: a JSON file beside this module, or one of the user's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from microstage.errors import ParameterError

__all__ = ["Activations", "LayerRules", "Target", "Weights", "target_names"]

_FOLDER = Path(__file__).parent / "targets"
_CHOICES = {
    "scale": ("power-of-two", "real"),
    "per": ("channel", "tensor"),
    "relu": ("signed", "unsigned"),
    "rounding": ("half-up", "half-even", "floor", "fixed-point"),
    "calibration": ("percentile", "max", "mse", "three-sigma"),
    "padding": ("any", "same"),
    "groups": ("any", "one-or-output"),
}


@dataclass(frozen=True)
class Weights:
    """Integers of `bits`, without the lowest where `narrow`; one scale `per` output channel, or one in all."""

    bits: int
    narrow: bool
    scale: str
    per: str


@dataclass(frozen=True)
class Activations:
    """Integers of `bits`. Behind a ReLU they are `unsigned`, or `signed` with an empty lower half.
    `affine` ones have a zero point."""

    bits: int
    scale: str
    relu: str
    affine: bool


@dataclass(frozen=True)
class LayerRules:
    """Which convolutions the hardware has."""

    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: str
    groups: str


@dataclass(frozen=True)
class Target:
    """Everything that quantising for one consumer depends on. `shift` holds the shifts that it can do, if it only
    shifts; `layers` the convolutions that it has, if it has not all."""

    name: str
    summary: str
    weights: Weights
    activations: Activations
    rounding: str
    calibration: str
    shift: tuple[int, int] | None = None
    layers: LayerRules | None = None

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
            return _read(path.stem, json.loads(path.read_text()))
        except (ValueError, KeyError, TypeError) as error:
            raise ParameterError(f"Target {path}: {error}.") from None

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Target:
        """Return the target that `described` says, as the method of that name gives it."""
        return _read(described["name"], {key: value for key, value in described.items() if key != "name"})

    def described(self) -> dict[str, Any]:
        """Return the target as JSON values."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def target_names() -> list[str]:
    """Return the names of the targets that are built in."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def _read(name: str, described: Mapping[str, Any]) -> Target:
    fields = dict(_checked(described))
    layers = fields.pop("layers", None)
    return Target(
        name=name,
        weights=Weights(**_checked(fields.pop("weights"))),
        activations=Activations(**_checked(fields.pop("activations"))),
        layers=LayerRules(**_checked(layers)) if layers else None,
        **fields,
    )


def _checked(described: Mapping[str, Any]) -> dict[str, Any]:
    """Lists as tuples; `ValueError` for a word that stands for nothing."""
    for key, choices in _CHOICES.items():
        if key in described and described[key] not in choices:
            raise ValueError(f"{key} is {described[key]!r}; expected one of {', '.join(choices)}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in described.items()}
