"""Write golden vectors: a few, with which a device tests the file that it got, or all, for a proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from microstage_cbackend.network_file.format.records import GOLDEN
from microstage_cbackend.network_file.writing.contents import dtype_of
from microstage_cbackend.program.ir import Part
from microstage_cbackend.program.recurrent import NetworkEnds
from microstage_cbackend.program.stepped import SteppedModel
from microstage_cbackend.vectors.plan import Check, Plan

__all__ = ["GoldenColumn", "few", "golden_section", "of_answers", "of_part", "of_steps"]

_FEW, _FEW_BYTES = 4, 1 << 16
"Vectors that a published file has, and the bytes beyond which there are fewer."


class GoldenColumn(NamedTuple):
    """Hold the values [vectors, steps, elements] of one input or output, and their C type."""

    values: np.ndarray
    ctype: str


def of_answers(ends: NetworkEnds, plan: Plan) -> list[GoldenColumn]:
    """Return the inputs and outputs of `infer`."""
    sides = [*((t.name, t, False) for t in ends.inputs), *((name, t, True) for name, t in ends.outputs)]
    return [GoldenColumn(plan.at_ends(name, t.size, output)[:, None], t.ctype) for name, t, output in sides]


def of_steps(recurrent: SteppedModel, plan: Plan) -> list[GoldenColumn]:
    """Return the inputs and outputs of `step`, over whole records."""
    exponent, head = [recurrent.exponent] if recurrent.exponent else [], recurrent.head
    names = [(t.name, t) for t in (*recurrent.step_inputs, *exponent)]
    names += [(recurrent.sequence.recorded(head.name, name), t) for name, t in recurrent.outputs] if head else []
    shape = plan.vectors, plan.length, -1
    return [GoldenColumn(plan.boundaries[name].reshape(shape), t.ctype) for name, t in names]


def of_part(part: Part, check: Check, plan: Plan) -> list[GoldenColumn] | None:
    """Return the inputs and outputs of a part by itself; None where its check does not say all inputs."""
    carried = dict(part.states)
    places = [(check.feeds.get(t.name), t) for t in part.inputs if t.name not in carried]
    if any(place is None for place, _ in places):
        return None
    fed = [(place[0], place[1], t) for place, t in places if place]
    fed += [(check.expects[name], 0, t) for name, t in zip(part.output_names, part.outputs)]
    shape = plan.vectors, check.steps, -1
    return [
        GoldenColumn(
            plan.boundaries[name].reshape(plan.vectors, -1)[:, at : at + check.steps * t.size].reshape(shape), t.ctype
        )
        for name, at, t in fed
    ]


def golden_section(columns: Sequence[GoldenColumn], program: int, vectors: int) -> bytes:
    """Return the section of the first `vectors` for a program."""
    rows = np.concatenate([_bytes(column, vectors) for column in columns], axis=1)
    head = np.zeros((), GOLDEN.dtype)
    head["program"], head["vectors"], head["vector_bytes"] = program, len(rows), rows.shape[1]
    head["between_resets"] = columns[0].values.shape[1]
    return head.tobytes() + rows.tobytes()


def few(columns: Sequence[GoldenColumn]) -> int:
    """Count the vectors that a published file has: one at least."""
    return max(1, min(_FEW, len(columns[0].values), _FEW_BYTES // sum(_bytes(column, 1).size for column in columns)))


def _bytes(column: GoldenColumn, vectors: int) -> np.ndarray:
    """Return the bytes of the first `vectors`, uint8 [vectors * steps, a multiple of 8]."""
    values = np.ascontiguousarray(column.values[:vectors].astype(dtype_of(column.ctype)))
    found = values.reshape(-1, values.shape[2]).view(np.uint8)
    return np.pad(found, ((0, 0), (0, -found.shape[1] % 8)))
