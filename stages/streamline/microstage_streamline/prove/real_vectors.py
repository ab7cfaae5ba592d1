"""Draw real inputs and compute the reference's real answers, on which the C's float functions are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.errors import VerificationError
from microstage.integer import QTensor
from microstage.integer.real_input import RealInput
from microstage.integer.sequence import integers
from microstage.integer.tensor import real
from microstage.stage import Job
from microstage_streamline.convert import Converted
from microstage_streamline.graph.graph import Graph
from microstage_streamline.prove.samples import described

__all__ = ["PREFIX", "real_vectors"]

PREFIX = "real."
_QUANTISERS = ("QuantizeLinear", "Quant", "BipolarQuant", "QuantLevels", "MultiThreshold")
_CARRYING = ("DequantizeLinear", "LessZeroPoint", "Clip", "Relu", "Min", "Max", "Identity", "Rescale", "Cast")
"From the quantiser to where integers enter."
_ROUNDING = 2.0**-21  # eight roundings of float32
_COARSE = 1 / 8  # of a level: where roundings are worth more, nobody can say which level a value has


@dataclass(frozen=True, eq=False)
class _RealInput(RealInput):
    """Integers `tensor` of the cleaned graph enter as `name`, which the interface has `described`, of the values of
    `real`, an input of the file or a tensor behind it.
    """

    name: str
    tensor: str
    real: str


def real_vectors(
    job: Job, part: Converted, fed: Mapping[str, Any], given: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return {"real.<input>", "real.<output>": float32 [n, ...]}.

    Inputs are near those that are `fed`, or `given` by the user, the last ones beyond every range; outputs are the
    answers of the file's own operators and quantisers to them, in the reference's arithmetic. Nothing where an input
    has no real numbers of its own, which is told. `VerificationError` where the interface says otherwise than the
    file's operators do.
    """
    entries = []
    for name, tensor in part.written.entered.items():
        entry = _entry(part, name, tensor)
        if entry is None:
            return _none(job, f"no quantiser makes the integers of {name} of real values")
        entries.append(entry)
    if half := next((entry for entry in entries if entry.described.get("precision") == "float16"), None):
        return _none(job, f"{half.name} is divided in float16, which C has not")
    values: dict[str, np.ndarray] = {}
    for entry in entries:
        values[entry.real] = _values(part, entry, values.get(entry.real), fed, given)
        if "precision" not in entry.described and np.any(_roundings(entry, values[entry.real]) > _COARSE):
            said = f"float32 cannot tell levels of {entry.real} apart behind what stands before its quantiser"
            return _none(job, said)
    return {f"{PREFIX}{name}": value for name, value in {**values, **_answers(part, entries, values)}.items()}


def _values(
    part: Converted,
    entry: _RealInput,
    known: np.ndarray | None,
    fed: Mapping[str, Any],
    given: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Return float32 values [n, ...] of an input; those that are `known` already, if several quantisers read it."""
    values = _drawn(entry, fed, given) if known is None else known
    if entry.real not in part.normal.graph.inputs:  # operators in front hold it to what they can give
        values = np.clip(values, *np.sort(_ends(entry), axis=0)).astype(np.float32)
    return _apart(entry, values)


def _answers(part: Converted, entries: Sequence[_RealInput], values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return {output: float32 [n, ...]}, some samples at a time; the integers in front are what the interface says."""
    outputs, answers = list(part.integer_graph.outputs), []
    for start in range(0, len(next(iter(values.values()))), step := part.normal.graph.at_once):
        some = {name: value[start : start + step] for name, value in values.items()}
        taken = {entry.real: _as_fed(part, entry, some[entry.real]) for entry in entries}
        found = part.normal.graph.run(taken, [*outputs, *(entry.tensor for entry in entries)])
        for entry in entries:
            _assert_said(entry, integers(found[entry.tensor]), some[entry.real])
        answers.append([_answer(part, name, found[name]).astype(np.float32) for name in outputs])
    return dict(zip(outputs, map(np.concatenate, zip(*answers))))


def _ends(entry: _RealInput) -> np.ndarray:
    """Return [2, 1, ...]: the real values of the lowest and the highest integer."""
    return np.stack(
        [entry.values(np.full((1, *entry.described["shape"][1:]), end)) for end in entry.described["range"]]
    )


def _assert_said(entry: _RealInput, found: np.ndarray, values: np.ndarray) -> None:
    wrong = found != entry.quantised(values)
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise VerificationError(
            f"{np.count_nonzero(wrong)} of {wrong.size} integers of the input {entry.name} are not what"
            " its scale, zero point and offset"
            f" say of {entry.real}, first {values[first]:.9g}: expected {found[first]}, found"
            f" {entry.quantised(values)[first]}."
        )


def _answer(part: Converted, name: str, value: Any) -> np.ndarray:
    """Return what an output's integers stand for: raw ones have the scale and zero point that the interface says."""
    raw = isinstance(value, np.ndarray) and value.dtype.kind in "iu"
    return described(part.written.interface["outputs"][name], integers(value)) if raw else real(value)


def _none(job: Job, reason: str) -> dict[str, np.ndarray]:
    job.log(f"streamline: {reason}: there will be no functions of real numbers.")
    return {}


def _entry(part: Converted, name: str, tensor: str) -> _RealInput | None:
    """Return the real input that integers stand for.

    None where no quantiser makes them of real numbers, and the input is none of integers itself.
    """
    graph, described = part.normal.graph, part.written.interface["inputs"][name]
    if tensor in graph.inputs:
        return _RealInput(described, name, tensor, tensor) if graph.inputs[tensor].datatype else None
    before, of = _quantised(graph, tensor), described.get("of", name)
    if before is None:
        return None
    return _RealInput(described, name, tensor, of if of in graph.inputs else before)


def _quantised(graph: Graph, tensor: str) -> str | None:
    """Return the real tensor that the quantiser before the integers `tensor` reads; None where they are an input's, or
    no quantiser's.
    """
    makers = {output: node for node in graph.nodes for output in node.outputs}
    while tensor in makers and makers[tensor].op in _CARRYING:
        tensor = next(name for name in makers[tensor].inputs if name not in graph.constants)
    if tensor in makers and makers[tensor].op in _QUANTISERS:
        return makers[tensor].inputs[0]
    return None


def _as_fed(part: Converted, entry: _RealInput, values: np.ndarray) -> Any:
    """Return what the graph is run with: the values, or, at an input of integers, the integers that stand for them."""
    if entry.real != entry.tensor:
        return values.astype(getattr(part.normal.values[entry.real], "dtype", np.float64))
    ints, example = entry.quantised(values), part.normal.values[entry.tensor]
    return QTensor(ints, example.scale) if isinstance(example, QTensor) else ints


def _drawn(entry: _RealInput, fed: Mapping[str, Any], given: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return float32 [n, ...]: the user's own values where they are of this tensor, else quarters of a level around the
    integers that are fed.

    The last of them, a few, are twice as far from zero as the range reaches at either end.
    """
    given = {**{name: value for name, value in fed.items() if name == entry.real != entry.tensor}, **given}
    if entry.real in given and entry.real != entry.tensor:
        values = np.asarray(given[entry.real], np.float64).copy()
    else:
        ints = integers(fed[entry.tensor])
        random = np.random.Generator(np.random.PCG64(2))
        values = entry.values(ints + random.integers(-4, 5, ints.shape) / 4)
    shape, zero = values.shape[1:], entry.described["zero_point"]
    low, high = (entry.values(np.full((1, *shape), zero + 2 * (end - zero)))[0] for end in entry.described["range"])
    turn = np.indices(shape).sum(0) % 2 == 0
    hard = [low, high, np.where(turn, low, high), np.where(turn, high, low)][: len(values) // 4]
    values[len(values) - len(hard) :] = hard or values[len(values) :]
    return values.astype(np.float32)


def _apart(entry: _RealInput, values: np.ndarray) -> np.ndarray:
    """Return the values, moved a quarter of a level where a tie hangs on the last bits of operators of the file.

    Scale and offset stand for these operators.
    """
    if "precision" in entry.described or "thresholds" in entry.described:
        return values
    levels = entry.levels(values)
    near = np.abs(2 * levels - np.rint(2 * levels)) <= 2 * _roundings(entry, values)
    return np.where(near, values + entry.of("scale") / 4, values).astype(np.float32)


def _roundings(entry: _RealInput, values: np.ndarray) -> np.ndarray:
    """Return what the file's own operators may make of levels in float32, in levels: a few roundings of the values, of
    the offset, of the levels.
    """
    sizes = np.abs(entry.levels(values)) + (np.abs(values.astype(np.float64)) + np.abs(entry.of("offset"))) / np.abs(
        entry.of("scale")
    )
    return _ROUNDING * np.maximum(1, sizes)
