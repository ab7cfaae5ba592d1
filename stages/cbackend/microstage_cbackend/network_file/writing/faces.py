"""Write inputs and outputs: types, shapes, ranges, and how their integers and real numbers are made of one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from microstage_cbackend.network_file.format.numbers import CTYPES, ROUNDINGS
from microstage_cbackend.network_file.format.records import ABSENT
from microstage_cbackend.network_file.writing.contents import Contents
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.writers.quantising import by_axis, by_row, is_sign

__all__ = ["FACE_FLOAT32", "FACE_GAIN", "add_face"]

FACE_FLOAT32, FACE_GAIN = 1, 2
"Flags of a face."
_RANK = 8


def add_face(
    contents: Contents, name: str, tensor: Tensor, facts: Mapping[str, Any], gain: bool = False, steps: int = 1
) -> int:
    """Return the number of a new face `name` of `tensor`, of which `facts` are known.

    `gain`: it is in multiples of a gain. `steps`: of a sequence, how many.
    """
    return contents.add(
        "FACE",
        name=contents.names.at(name),
        of=contents.names.at(facts.get("of", "")),
        unit=contents.names.at(facts.get("unit") or ""),
        ctype=CTYPES[tensor.ctype],
        elements=prod(tensor.shape),
        elements_of_step=prod(tensor.shape) // steps,
        low=tensor.low,
        high=tensor.high,
        zero_point=int(facts.get("zero_point") or 0),
        flags=(FACE_FLOAT32 if facts.get("precision") == "float32" else 0) | (FACE_GAIN if gain else 0),
        **_shape(tensor.shape),
        **_numbers(contents, tensor, facts),
        **_quantiser(contents, tensor, facts),
    )


def _shape(shape: Sequence[int]) -> dict[str, int | Sequence[int]]:
    """Return rank and shape; of more than 8 dimensions the first ones are one."""
    kept = [prod(shape[: len(shape) - _RANK + 1]), *shape[len(shape) - _RANK + 1 :]] if len(shape) > _RANK else shape
    return {"rank": len(kept), "shape": [*kept, *[0] * (_RANK - len(kept))]}


def _numbers(contents: Contents, tensor: Tensor, facts: Mapping[str, Any]) -> dict[str, int]:
    """Return the fields of scale and offset."""
    found: dict[str, int] = {"scale": ABSENT, "scale_inner": 1, "offset": ABSENT, "offset_inner": 1}
    for what in ("scale", "offset"):
        given = facts.get(what)
        if given is None or what == "offset" and not np.any(given):
            continue
        values, inner = by_axis(given, tensor.shape) if isinstance(given, list) else ([given], 1)
        found |= {what: contents.constant(np.array(values, np.float64), "double"), f"{what}_inner": inner}
    return found


def _quantiser(contents: Contents, tensor: Tensor, facts: Mapping[str, Any]) -> dict[str, int]:
    """Return the fields that say how a real number becomes an integer."""
    low, high = facts.get("range", (tensor.low, tensor.high))
    found = {"clip_low": low, "clip_high": high, "thresholds": ABSENT, "thresholds_inner": 1}
    if "thresholds" in facts:
        rows, inner = by_row(facts["thresholds"], tensor.shape)
        found |= {"thresholds": contents.constant(rows, "double"), "thresholds_inner": inner, "levels": rows.shape[1]}
        return found | {"rounding": ROUNDINGS["THRESHOLDS"], "step": (high - low) // rows.shape[1]}
    if is_sign(facts):
        return found | {"rounding": ROUNDINGS["SIGN"]}
    return found | ({"rounding": ROUNDINGS[facts.get("rounding", "ROUND")]} if facts.get("scale") is not None else {})
