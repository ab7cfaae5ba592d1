"""Passes over a part: each keeps what the interpreter computes and makes the C smaller or faster.

    join_patches   Im2Col and a matrix product are a convolution     fuse_*    bias, signs and stage move into the layer that sums
    lift_stages    a stage comes before the pool that it follows     compact   thresholds become multiply-add-shift or a table
    pack_signs     -1/+1 by -1/+1 on words of 64                     pack_weights   weights of 1, 2 and 4 bits
    rebase         signed activations as unsigned bytes          specialise     layers of 8 bits on specialised kernels
"""

from __future__ import annotations

from microstage_cbackend.ir import Part
from microstage_cbackend.passes.bytes import rebase, specialise
from microstage_cbackend.passes.compact import compact
from microstage_cbackend.passes.fuse import fuse_constants, fuse_stages, join_patches, lift_stages
from microstage_cbackend.passes.pack import pack_signs, pack_weights

__all__ = ["PASSES", "optimise"]

PASSES = (join_patches, fuse_constants, lift_stages, fuse_stages, compact, pack_signs, pack_weights, rebase, specialise)


def optimise(part: Part) -> Part:
    """All passes in order, on `part` itself."""
    for run in PASSES:
        run(part)
    return part
