"""How many multiply-accumulate lanes a network gets where LANES= says nothing."""

from __future__ import annotations

import numpy as np

from microstage_rtl.read.network import RtlNetwork

__all__ = ["default_lanes"]

_WIDE, _NARROW = 4, 64
_NARROW_WEIGHTS = 4
"Bits of weights whose products are made of adders: lanes cost logic, and no multiplier."


def default_lanes(network: RtlNetwork) -> int:
    """Return 4 lanes, each with a multiplier, or 64 where all weights have at most 4 bits; no more than filters."""
    weights = [call.weights for call in network.calls if call.weights is not None]
    if not weights:
        return 1
    largest = max(int(np.abs(w).max(initial=0)) for w in weights)
    most = _NARROW if largest < 1 << _NARROW_WEIGHTS - 1 else _WIDE
    return min(most, max(len(w) for w in weights))
