"""Exact graph transformations, one class each; `apply` returns (model, changed) and is called until nothing changes.

Every pass keeps the integers of every graph output, which its tests check on random graphs.
"""

from __future__ import annotations

from microstage_streamline.passes.absorb_into_top_k import AbsorbIntoTopK
from microstage_streamline.finn.annotate_datatypes import AnnotateDatatypes
from microstage_streamline.finn.bipolar_to_xnor import BITS, BipolarToXnor
from microstage_streamline.passes.fold_constants import FoldConstantLayout
from microstage_streamline.finn.lower_convs import LowerConvs
from microstage_streamline.passes.lower_gemm import LowerGemm
from microstage_streamline.finn.merge_products import MergeSummedProducts
from microstage_streamline.finn.name_by_layer import NameByLayer
from microstage_streamline.passes.quantise_before_moving import QuantiseBeforeMoving
from microstage_streamline.passes.remove_scales import RemoveScales
from microstage_streamline.passes.threshold_quantisers import ThresholdQuantisers

__all__ = [
    "BITS",
    "AbsorbIntoTopK",
    "AnnotateDatatypes",
    "BipolarToXnor",
    "FoldConstantLayout",
    "LowerConvs",
    "LowerGemm",
    "MergeSummedProducts",
    "NameByLayer",
    "QuantiseBeforeMoving",
    "RemoveScales",
    "ThresholdQuantisers",
]
