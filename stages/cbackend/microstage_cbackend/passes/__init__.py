"""Improve a part pass by pass: each keeps what the interpreter computes and makes the C smaller or faster.

join_patches     Im2Col and a matrix product are a convolution
split_groups     a convolution that is zero outside diagonal blocks has groups
drop_identities  a stage that changes nothing goes
fold_tables      stages of one tensor, chained or summed, are a table
fuse_constants   a bias, and signs, move into the layer that sums
lift_stages      a stage comes before the pool that it follows
fuse_stages      a stage moves into the layer that sums
sum_windows      a depthwise convolution with ones is a sum of windows
take_factors     a sum of two scales is one layer
drop_unread      layers whose result nobody reads go
pack_signs       -1/+1 by -1/+1 on words of 64
compact          thresholds become multiply-add-shift or a table
store_as_bytes   up to 256 values are bytes at an offset

Then the program is lowered twice (docs/adr/0042): for small machines (passes/small) and, by these, for all others:

specialise       layers of 8 bits go to specialised kernels
as_copies        sums that only copy bytes are copies
join_copies      one copy of an image instead of two
join_frames      layers write into padded buffers
pack_weights     weights of 1, 2 and 4 bits in the other layers
"""

from __future__ import annotations

from microstage_cbackend.passes.aliases import drop_identities, drop_unread
from microstage_cbackend.passes.blends import take_factors
from microstage_cbackend.passes.compact import compact
from microstage_cbackend.passes.frames import as_copies, join_copies, join_frames
from microstage_cbackend.passes.fuse import fuse_constants, fuse_stages, lift_stages
from microstage_cbackend.passes.offsets import store_as_bytes
from microstage_cbackend.passes.pack import pack_weights
from microstage_cbackend.passes.signs import pack_signs
from microstage_cbackend.passes.small import lower_small
from microstage_cbackend.passes.specialise import specialise
from microstage_cbackend.passes.tables import fold_tables
from microstage_cbackend.passes.windows import join_patches, split_groups, sum_windows
from microstage_cbackend.program.ir import Part

__all__ = ["COMMON", "PASSES", "WIDE", "optimise"]

COMMON = (
    join_patches,
    split_groups,
    drop_identities,
    fold_tables,
    fuse_constants,
    lift_stages,
    fuse_stages,
    sum_windows,
    take_factors,
    drop_unread,
    pack_signs,
    compact,
    store_as_bytes,
)
WIDE = (specialise, as_copies, join_copies, join_frames, pack_weights)
PASSES = (*COMMON, *WIDE)


def optimise(part: Part) -> Part:
    """Run all passes in order, on `part` itself; return it, with its program for small machines."""
    for run in COMMON:
        run(part)
    part.small = lower_small(part)
    for run in WIDE:
        run(part)
    return part
