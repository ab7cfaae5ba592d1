"""Passes over a part: each keeps what the interpreter computes and makes the C smaller or faster.

    join_patches   Im2Col and a matrix product are a convolution     fuse_*         bias, signs and stage move into the layer that sums
    lift_stages    a stage comes before the pool that it follows     pack_signs     -1/+1 by -1/+1 on words of 64
    compact        thresholds become multiply-add-shift or a table   rebase         signed activations as unsigned bytes
    specialise     layers of 8 bits on specialised kernels           join_copies    one copy of an image instead of two
    join_frames    layers write into padded buffers                  pack_weights   weights of 1, 2 and 4 bits in the other layers
"""

from __future__ import annotations

from microstage_cbackend.passes.compact import compact
from microstage_cbackend.passes.frames import join_copies, join_frames
from microstage_cbackend.passes.fuse import fuse_constants, fuse_stages, join_patches, lift_stages
from microstage_cbackend.passes.pack import pack_weights
from microstage_cbackend.passes.rebase import rebase
from microstage_cbackend.passes.signs import pack_signs
from microstage_cbackend.passes.specialise import specialise
from microstage_cbackend.program.ir import Part

__all__ = ["PASSES", "optimise"]

PASSES = (join_patches, fuse_constants, lift_stages, fuse_stages, pack_signs, compact, rebase, specialise, join_copies, join_frames, pack_weights)


def optimise(part: Part) -> Part:
    """All passes in order, on `part` itself."""
    for run in PASSES:
        run(part)
    return part
