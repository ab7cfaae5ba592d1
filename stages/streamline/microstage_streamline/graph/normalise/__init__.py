"""One form for what exporters write in many: rewrites of single nodes, one class each."""

from __future__ import annotations

from microstage_streamline.graph.normalise import (  # noqa: F401  they register their rewrites
    axes,
    branches,
    by_hand,
    choices,
    elementwise,
    moves,
    order,
    pools,
    products,
    qoperator,
    quantised,
    reductions,
    samples,
    shapes,
    summed_scales,
    turned,
    volumes,
)
from microstage_streamline.graph.normalise.normaliser import Normaliser, is_quantised

__all__ = ["Normaliser", "is_quantised"]
