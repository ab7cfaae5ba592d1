"""Write a few golden vectors, with which a device tests the file that it got."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.network_file.format.records import GOLDEN
from microstage_cbackend.network_file.writing.contents import dtype_of
from microstage_cbackend.network_file.writing.pools import filled_up
from microstage_cbackend.program.recurrent import NetworkEnds
from microstage_cbackend.vectors.plan import Plan

__all__ = ["golden_section"]

_MOST, _MOST_BYTES = 4, 1 << 16
"Vectors, and bytes beyond which there are fewer."


def golden_section(ends: NetworkEnds, plan: Plan, program: int) -> bytes:
    """Return the section of the first vectors of `plan` for `program`, which answers once."""
    sides = [
        *((t.name, t, False) for t in ends.inputs),
        *((name, t, True) for name, t in ends.outputs),
    ]
    values = [plan.at_ends(name, t.size, output).astype(dtype_of(t.ctype)) for name, t, output in sides]
    vectors = [b"".join(filled_up(each.tobytes(), 8) for each in vector) for vector in zip(*values)]
    kept = vectors[: max(1, min(_MOST, _MOST_BYTES // len(vectors[0])))]
    head = np.zeros((), GOLDEN.dtype)
    head["program"], head["vectors"], head["vector_bytes"] = program, len(kept), len(kept[0])
    return head.tobytes() + b"".join(kept)
