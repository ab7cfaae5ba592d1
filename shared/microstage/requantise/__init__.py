"""How an exact sum becomes the integer that is stored: the forms of it, and proofs that two forms are equal."""

from __future__ import annotations

from microstage.requantise.compact import compact, trimmed
from microstage.requantise.lines import fit_affine, fit_lines
from microstage.requantise.memory import bits, width
from microstage.requantise.proof import equal
from microstage.requantise.rows import fit_shared
from microstage.requantise.stages import Lines, MultiplyAddShift, Raw, Search, Shared, Stage, Tabled
from microstage.requantise.tables import fit_tabled

__all__ = [
    "Lines",
    "MultiplyAddShift",
    "Raw",
    "Search",
    "Shared",
    "Stage",
    "Tabled",
    "bits",
    "compact",
    "equal",
    "fit_affine",
    "fit_lines",
    "fit_shared",
    "fit_tabled",
    "trimmed",
    "width",
]
