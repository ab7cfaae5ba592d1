"""Count the bits in which a memory holds the constants of a stage."""

from __future__ import annotations

import numpy as np

from microstage.requantise.stages import Lines, MultiplyAddShift, Raw, Search, Shared, Stage, Tabled

__all__ = ["bits", "width"]


def bits(stage: Stage) -> int:
    """Count the bits of all constants of `stage`, each kind as wide as its widest.

    What is the same in all rows is one number. The shift, the bias and the range of a layer are not counted.
    """
    return sum((v[:1] if np.all(v == v[:1]) else v).size * width(v) for v in _tables(stage))


def width(values: np.ndarray) -> int:
    """Return the bits of each of `values`, in two's complement where one is negative; 0 where all are 0."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    return max(high.bit_length(), (~low).bit_length() if low < 0 else 0) + (low < 0)


def _tables(stage: Stage) -> list[np.ndarray]:
    """Return the constants of which there may be more than one a layer, by kind."""
    match stage:
        case Raw():
            return []
        case Search():
            return [stage.thresholds]
        case Shared():
            return [stage.thresholds, stage.offset]
        case Tabled():
            return [*_tables(stage.line), stage.values]
        case Lines():
            return [stage.multiplier, stage.offset, stage.shift]
        case MultiplyAddShift():
            kink = [] if stage.kink is None else [stage.kink]
            return [stage.multiplier, stage.offset, *kink]
