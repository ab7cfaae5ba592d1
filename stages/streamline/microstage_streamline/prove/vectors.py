"""Choose inputs to compare integers on: the user's own, or random ones and the extremes of the declared ranges."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from microstage.errors import ArtefactError
from microstage.integer import QTensor
from microstage.interface import golden
from microstage_streamline.integerise.integer_graph import IntegerGraph
from microstage_streamline.normalise.normal_graph import NormalGraph

__all__ = ["drawn", "given", "how_many", "named", "read_golden"]

_RANDOM = 256
_WORK = 2e10  # multiply-accumulates that a verification may take
_PER_VALUE = 32  # multiply-accumulates: it is held, compared and written
_LEAST = 8


def how_many(made: IntegerGraph) -> int:
    """Return how many random vectors to draw: 256, or as many as are affordable of a large network."""
    work = _PER_VALUE * sum(known.low.size for known in made.ranges.values())
    for node in made.nodes:
        if node.op in ("Conv", "MatMul"):
            weight = made.constants[node.inputs[1]]
            fan_in = weight[0].size if node.op == "Conv" else weight.shape[-2]
            work += made.ranges[node.output].low.size * fan_in
    return int(np.clip(_WORK / work, _LEAST, _RANDOM))


def drawn(made: IntegerGraph, count: int) -> dict[str, np.ndarray | QTensor]:
    """Return {tensor: values} where integers enter: all lowest, all highest, both in turn, then `count` random ones."""
    rng = np.random.Generator(np.random.PCG64(0))
    found = {}
    for tensor, entry in made.inputs.items():
        low, high = entry.range.low, entry.range.high
        random = rng.integers(low, high + 1, (count, *low.shape[1:]))
        turn = np.indices(low.shape).sum(0) % 2 == 0
        ints = np.concatenate([low, high, np.where(turn, low, high), np.where(turn, high, low), random])
        found[tensor] = (
            QTensor(ints, entry.example.scale)
            if isinstance(entry.example, QTensor)
            else ints.astype(entry.example.dtype)
        )
    return found


def read_golden(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of the user's archive; `ArtefactError` for one that is none, that holds objects, or that would
    fill the memory.
    """
    arrays = golden.load(path, "GOLDEN")
    wrong = next(
        (name for name, value in arrays.items() if value.dtype.kind not in "biuf" or not np.isfinite(value).all()), None
    )
    if wrong is not None:
        raise ArtefactError(f"GOLDEN has {wrong}, which holds something else than finite numbers.")
    return arrays


def named(arrays: Mapping[str, np.ndarray], normal: NormalGraph) -> dict[str, np.ndarray]:
    """Return `arrays` by the graph's own names: the one array that fits the only input, or the only output, needs no
    name.
    """
    found = dict(arrays)
    ends = [
        (list(normal.graph.inputs), lambda name: normal.graph.inputs[name].shape[1:]),
        (normal.graph.outputs, lambda name: normal.values[name].shape[1:] if name in normal.values else None),
    ]
    for names, shape in ends:
        if len(names) == 1 and names[0] not in found:
            fitting = [name for name, value in arrays.items() if name in found and value.shape[1:] == shape(names[0])]
            if len(fitting) == 1:
                found[names[0]] = found.pop(fitting[0])
    return found


def given(normal: NormalGraph, made: IntegerGraph, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray | QTensor]:
    """Return {graph input: values} of the user's archive; `ArtefactError` names what is missing or does not fit the
    declared range.
    """
    for name in normal.graph.inputs:
        if name not in arrays:
            raise ArtefactError(
                f"GOLDEN has no {name}; it holds {', '.join(sorted(arrays)) or 'nothing'}, and the network"
                " needs every input."
            )
    found = {name: _as_fed(normal, name, arrays[name]) for name in normal.graph.inputs}
    counts = {len(arrays[name]) for name in found}
    if counts != {max(counts)} or 0 in counts:
        raise ArtefactError(
            f"GOLDEN has inputs of {', '.join(map(str, sorted(counts)))} samples; expected the same number, above 0."
        )
    return found


def _as_fed(normal: NormalGraph, name: str, values: np.ndarray) -> np.ndarray | QTensor:
    """Return the user's values of an input as the graph takes them: real numbers, or the integers that it declares."""
    entry, example = normal.graph.inputs[name], normal.values[name]
    if values.shape[1:] != entry.shape[1:]:
        raise ArtefactError(
            f"GOLDEN has {name} of shape {list(values.shape)}; expected [n, {', '.join(map(str, entry.shape[1:]))}]."
        )
    if entry.datatype is None:
        return values.astype(entry.real)
    low, high = entry.datatype
    if entry.scale is not None:
        levels = values / entry.scale
        signs, rounded = np.where(levels >= 0, 1, -1), np.clip(np.rint(levels) + entry.zero_point, low, high)
        return (signs if entry.signs else rounded).astype(np.int64)
    if (values != np.rint(values)).any() or values.min(initial=low) < low or values.max(initial=high) > high:
        raise ArtefactError(f"GOLDEN has {name} outside its declared range: expected integers {low}..{high}.")
    ints = values.astype(np.int64)
    return QTensor(ints, example.scale) if isinstance(example, QTensor) else ints
