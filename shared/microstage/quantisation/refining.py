"""Choose the scales of activations by what each does to the network's output."""

from __future__ import annotations

from collections.abc import Callable

from microstage.process.progress import progress
from microstage.quantisation.scales import ActivationScale

__all__ = ["refine_scales"]

_FACTORS = (0.7, 0.85, 1.2)  # of the range that is there
_OCTAVES = (0.5, 2.0)  # of one that is a power of two


def refine_scales(scales: list[ActivationScale], error: Callable[[], float]) -> None:
    """Go over `scales` once; let each keep that of a few neighbouring ranges at which `error` is least."""
    least = error()
    for scale in progress(scales, len(scales), "scales"):
        for factor in _OCTAVES if scale.power_of_two else _FACTORS:
            scale.stretch(factor)
            found = error()
            if found < least:
                least = found
                break
            scale.stretch(1 / factor)
