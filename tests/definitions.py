"""Definitions of networks as their parameters have them by default, but for what a test changes."""

from __future__ import annotations

from typing import Any

from microstage.models import harmonic, kws
from microstage.models.harmonic.definition import HarmonicDefinition
from microstage.models.kws.definition import KeywordDefinition

__all__ = ["harmonic_definition", "keyword_definition"]


def _defaults(family: Any) -> dict[str, Any]:
    return {name: said["default"] for name, said in family.PARAMETERS.items()}


def harmonic_definition(**changes: Any) -> HarmonicDefinition:
    return HarmonicDefinition.from_parameters({**_defaults(harmonic), **changes})


def keyword_definition(input_range: float, **changes: Any) -> KeywordDefinition:
    given = {**_defaults(kws), "model": "kws-w3a3", "input_range": input_range, **changes}
    return KeywordDefinition.from_parameters(given)
