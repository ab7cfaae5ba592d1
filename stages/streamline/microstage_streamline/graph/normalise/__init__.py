"""One form for what exporters write in many: rewrites of single nodes, one class each."""

from __future__ import annotations

from microstage_streamline.graph.normalise import axes, branches, by_hand, pools, products, quantised, shapes  # noqa: F401  they register their rewrites
from microstage_streamline.graph.normalise.normaliser import Normaliser, is_quantised

__all__ = ["Normaliser", "is_quantised"]
