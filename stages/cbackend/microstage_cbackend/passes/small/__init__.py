"""Lower a program for small machines: kernels that read tensors as they lie, without padded copies.

copied            the program of the common passes once more, to be changed
as_copies         sums that only copy bytes are copies, and a layer reads what a copy reads (sources.py)
join_dense        dense layers of one input that have thresholds are one layer of sums, and stages
choose_kernels    layers of bytes go to the kernels ms_small_*
specialise, ...   what no such kernel takes goes where it goes on other machines
"""

from __future__ import annotations

from microstage_cbackend.passes.aliases import drop_unread
from microstage_cbackend.passes.frames import as_copies, join_copies, join_frames
from microstage_cbackend.passes.pack import pack_weights
from microstage_cbackend.passes.small.choose import choose_kernels
from microstage_cbackend.passes.small.copied import copied
from microstage_cbackend.passes.small.count import count_signs
from microstage_cbackend.passes.small.join_dense import join_dense
from microstage_cbackend.passes.specialise import specialise
from microstage_cbackend.program.ir import Part

__all__ = ["lower_small"]

_PASSES = (
    as_copies,
    join_dense,
    choose_kernels,
    count_signs,
    drop_unread,
    specialise,
    join_copies,
    join_frames,
    pack_weights,
)


def lower_small(part: Part) -> Part | None:
    """Return the program of `part` for small machines, from what the common passes left; None where it is no other."""
    small = copied(part)
    for run in _PASSES:
        run(small)
    return small if any(layer.kernel.startswith("ms_small_") for layer in small.layers) else None
