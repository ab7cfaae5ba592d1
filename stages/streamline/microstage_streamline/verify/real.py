"""Real inputs and the reference's real answers, on which the C's float functions are compared before anything is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.integer.sequence import integers
from microstage.integer.tensor import real
from microstage.stage import Job
from microstage_streamline.convert import Converted
from microstage_streamline.graph.graph import Graph

__all__ = ["PREFIX", "real_vectors"]

PREFIX = "real."
_AT_ONCE = 16
_QUANTISERS = ("QuantizeLinear", "Quant", "BipolarQuant")
_CARRYING = ("DequantizeLinear", "Clip", "Identity", "Rescale", "Cast")  # integers through, from the quantiser to where they enter


@dataclass(frozen=True)
class _Entry:
    """Integers `tensor` enter as `name`: what the file's quantiser makes of the real tensor `before`, or the graph input itself (None)."""

    name: str
    tensor: str
    before: str | None
    described: Mapping[str, Any]

    def quantised(self, values: np.ndarray) -> np.ndarray:
        """What the interface says that real values are: clip(round half even(value / scale) + zero point), or the sign."""
        if self.described["datatype"] == "BIPOLAR":
            return np.where(values >= 0, 1, -1)
        shape = (1, *self.described["shape"][1:])
        scale = np.asarray(self.described["scale"], np.float64)
        quotient = values / (scale.reshape(shape) if scale.ndim else scale)
        return np.clip(np.rint(quotient) + self.described["zero_point"], *self.described["range"]).astype(np.int64)


def real_vectors(job: Job, part: Converted, fed: Mapping[str, Any], given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """{"real.<input>", "real.<output>": float32 [n, ...]}: inputs near those that are `fed`, or `given` by the user, the last ones beyond every
    range; and the answers of the file's own quantisers and operators to them, in the reference's arithmetic.

    None where integers enter behind something else than scale and rounding: such an input has no real numbers of its own, which is told.
    """
    interface, graph = part.written.interface, part.normal.graph
    entries = [_Entry(name, tensor, _before(graph, tensor), interface["inputs"][name]) for name, tensor in part.written.entered.items()]
    for entry in entries:
        if entry.before == "" or "offset" in entry.described:
            job.log(f"streamline: {entry.name} enters behind no plain quantiser: there will be no functions of real numbers.")
            return {}
    values = {entry.name: _drawn(entry, fed, given) for entry in entries}
    outputs, answers = list(part.made.outputs), []
    for start in range(0, len(next(iter(values.values()))), _AT_ONCE):
        some = {name: value[start : start + _AT_ONCE].astype(np.float64) for name, value in values.items()}
        taken = {entry.before or entry.tensor: some[entry.name] if entry.before else _as_fed(part, entry, some[entry.name]) for entry in entries}
        found = graph.run(taken, [*outputs, *(entry.tensor for entry in entries)])
        for entry in entries:
            if not np.array_equal(integers(found[entry.tensor]), entry.quantised(some[entry.name])):
                job.log(f"streamline: the quantiser of {entry.name} rounds in its own way: there will be no functions of real numbers.")
                return {}
        answers.append([real(found[name]).astype(np.float32) for name in outputs])
    return {f"{PREFIX}{name}": value for name, value in {**values, **dict(zip(outputs, map(np.concatenate, zip(*answers))))}.items()}


def _before(graph: Graph, tensor: str) -> str | None:
    """The real tensor that the quantiser before `tensor` reads; None for an input of integers, "" where there is no such quantiser."""
    makers = {output: node for node in graph.nodes for output in node.outputs}
    while tensor in makers and makers[tensor].op in _CARRYING:
        tensor = makers[tensor].inputs[0]
    if tensor not in makers:
        return None if graph.inputs[tensor].datatype else ""
    return makers[tensor].inputs[0] if makers[tensor].op in _QUANTISERS else ""


def _as_fed(part: Converted, entry: _Entry, values: np.ndarray) -> Any:
    """The integers that stand for real `values` at an input of integers, as the graph is run with them."""
    example, ints = part.normal.values[entry.tensor], entry.quantised(values)
    return type(example)(ints, example.scale) if hasattr(example, "scale") else ints


def _drawn(entry: _Entry, fed: Mapping[str, Any], given: Mapping[str, np.ndarray]) -> np.ndarray:
    """float32 [n, ...]: the user's own values where the quantiser reads them, else quarters of a level around the integers that are fed; the
    last of them, a few, twice as far as the range reaches at either end."""
    scale, zero = np.asarray(entry.described["scale"], np.float64), entry.described["zero_point"]
    shape = (1, *entry.described["shape"][1:])
    scale = scale.reshape(shape) if scale.ndim else scale
    low, high = ((end - zero) * scale for end in entry.described["range"])
    if entry.before in given:
        values = np.asarray(given[entry.before], np.float64).copy()
    else:
        ints = integers(fed[entry.tensor])
        random = np.random.Generator(np.random.PCG64(2))
        values = (ints - zero + random.integers(-4, 5, ints.shape) / 4) * scale
    turn = np.indices(shape).sum(0)[0] % 2 == 0
    ends = [np.broadcast_to(end, shape)[0] for end in (2 * low, 2 * high)]
    hard = [*ends, np.where(turn, *ends), np.where(turn, *ends[::-1])][: len(values) // 4]
    if hard:
        values[len(values) - len(hard) :] = hard
    return values.astype(np.float32)
