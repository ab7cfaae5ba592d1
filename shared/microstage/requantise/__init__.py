"""How an exact sum becomes the integer that is stored: the forms of it, and proofs that two forms are equal."""

from __future__ import annotations

from microstage.requantise.lines import fit_affine
from microstage.requantise.rows import fit_shared
from microstage.requantise.stages import MultiplyAddShift, Raw, Search, Shared

__all__ = ["MultiplyAddShift", "Raw", "Search", "Shared", "fit_affine", "fit_shared"]
