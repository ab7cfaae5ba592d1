"""What has to hold before anything is timed: every runtime computes the network that our integers compute.

The C must be equal to the bit. Of drawn networks, layers are compared one by one as well, each fed the reference's
integers, because differences of one level grow through a deep network: TFLite Micro must match its reference there to
the bit, onnxruntime and LiteRT requantise in float32 and may be one level off. A whole network that is further off than
another rounding can explain is another network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import onnx

from microstage.errors import VerificationError
from microstage_bench.ends import End, converted
from microstage_bench.network import DrawnNetwork, FlattenLayer, NetworkLayer
from microstage_bench.reference import run
from microstage_bench.runtimes import Runtime

__all__ = [
    "Agreement",
    "Rival",
    "Vectors",
    "check_equal",
    "check_layers",
    "compare_whole",
    "distance",
    "ends_of",
    "outputs",
]

_ANOTHER = 0.25  # mean difference, in standard deviations of what is expected


Content = TypeVar("Content", onnx.ModelProto, bytes)
"What a runtime loads: an ONNX file, or the bytes of a .tflite file."


@dataclass(frozen=True)
class Rival(Generic[Content]):
    """A runtime by name: how a drawn network is written for it and how it loads that, which rounding it is compared
    with, how many levels a layer may be off.
    """

    name: str
    write: Callable[[DrawnNetwork], Content]
    load: Callable[[Content], Runtime]
    rounding: str = "half_even"
    levels: int = 1

    def running(self, network: DrawnNetwork) -> Runtime:
        """Return the runtime with a drawn network loaded."""
        return self.load(self.write(network))


@dataclass(frozen=True)
class Vectors:
    """Numbers that go in and have to come out, [n, ...] each, at the ends of some runtime."""

    inputs: Sequence[np.ndarray]
    answers: Sequence[np.ndarray]
    taken: Sequence[End]
    given: Sequence[End]


@dataclass(frozen=True)
class Agreement:
    """Values compared, how many differ, and by how many levels at most; rows, and in how many the largest value is at
    the same place.
    """

    compared: int
    different: int
    largest: int
    rows: int = 0
    same_place: int = 0

    def __str__(self) -> str:
        if not self.different:
            return f"all {self.compared:,} equal"
        share = f"{self.different / self.compared:.2%}"
        differ = f"{self.different:,} of {self.compared:,} differ ({share}), by at most {self.largest}"
        return f"{differ}; arg-max equal in {self.same_place} of {self.rows}" if self.rows else differ


def check_layers(rival: Rival, network: DrawnNetwork, inputs: dict[str, np.ndarray]) -> Agreement:
    """Compare each layer alone; `VerificationError` names the first that is more than `rival.levels` off."""
    values = run(network, inputs, rival.rounding)
    found = [
        _check_layer(rival, network, layer, values) for layer in network.layers if not isinstance(layer, FlattenLayer)
    ]
    return _total(found)


def check_equal(name: str, network: str, runtime: Runtime, vectors: Vectors) -> Agreement:
    """Compare C with the expected integers, of which it has to give all."""
    found = [distance(ours, expected) for ours, expected in zip(outputs(runtime, vectors.inputs), vectors.answers)]
    agreement = _total(found)
    if agreement.different:
        raise VerificationError(f"Our {name} of {network} is not the reference: {agreement}.")
    return agreement


def compare_whole(name: str, network: str, runtime: Runtime, vectors: Vectors) -> Agreement:
    """Compare the whole network in levels at the outputs of `vectors`; `VerificationError` for another network, or for
    one that a second pass answers otherwise.
    """
    try:
        inputs = converted(*_in_order(vectors, runtime.inputs), runtime.inputs)
        places = [_place(runtime.outputs, end) for end in vectors.given]
        first, again = outputs(runtime, inputs), outputs(runtime, inputs)
        found = [_levels(first[place], runtime.outputs[place], end) for place, end in zip(places, vectors.given)]
    except VerificationError as error:
        raise VerificationError(f"{name} computes another network than {network}. {error}") from None
    if not all(np.array_equal(*both) for both in zip(first, again)):
        raise VerificationError(f"{name} answers differently when {network} is run again on the same inputs.")
    parts = [distance(levels, expected) for levels, expected in zip(found, vectors.answers)]
    for levels, expected, part in zip(found, vectors.answers, parts):
        spread, off = float(np.std(expected)), float(np.mean(np.abs(levels - expected.reshape(levels.shape))))
        if off > _ANOTHER * spread:
            raise VerificationError(
                f"{name} computes another network than {network}: {part}, by {off:.1f} on average,"
                f" where the answers' own spread is {spread:.1f}."
            )
    return parts[0] if len(parts) == 1 else _total(parts)


def _in_order(vectors: Vectors, wanted: Sequence[End]) -> tuple[list[np.ndarray], list[End]]:
    """Return inputs and ends in the order of `wanted`: by name where those are the names, else as they stand."""
    names = [end.name for end in vectors.taken]
    known = {*names} == {end.name for end in wanted}
    order = [names.index(end.name) for end in wanted] if known else list(range(len(names)))
    return [vectors.inputs[place] for place in order], [vectors.taken[place] for place in order]


def _place(ends: Sequence[End], wanted: End) -> int:
    """Return which of a runtime's outputs is `wanted`: the one of its name, else the first of as many values."""
    named = [place for place, end in enumerate(ends) if end.name == wanted.name]
    sized = [place for place, end in enumerate(ends) if end.size == wanted.size]
    if not named + sized:
        raise VerificationError(f"None of its outputs has {wanted.size} values.")
    return (named + sized)[0]


def _levels(numbers: np.ndarray, given: End, wanted: End) -> np.ndarray:
    """Return what the runtime answers, in whole levels of `wanted`."""
    kind = np.dtype(np.float32 if wanted.scale is None else np.int64)
    unbounded = End(wanted.name, wanted.shape, kind, wanted.scale, wanted.zero, wanted.offset)
    return converted([numbers], [given], [unbounded])[0]


def _check_layer(rival: Rival, network: DrawnNetwork, layer: NetworkLayer, values: dict[str, np.ndarray]) -> Agreement:
    alone = network.alone(layer)
    runtime = rival.running(alone)
    taken, given = ends_of(alone)
    inputs = converted([values[end.name] for end in taken], taken, runtime.inputs)
    agreement = distance(_levels(outputs(runtime, inputs)[0], runtime.outputs[0], given), values[layer.name])
    if agreement.largest > rival.levels:
        raise VerificationError(
            f"{rival.name} computes another {layer.name} of {network.name}: {agreement} levels, allowed {rival.levels}."
        )
    return agreement


def ends_of(network: DrawnNetwork) -> tuple[list[End], End]:
    """Return the inputs and the output of a drawn network, as its integers are."""
    quantities = {**network.inputs, network.output: network.quantity(network.output)}
    ends = [End(name, network.shapes[name], np.dtype(np.int8), q.scale, q.zero) for name, q in quantities.items()]
    return ends[:-1], ends[-1]


def outputs(runtime: Runtime, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Run one inference per row; return each output's numbers, [n, ...]."""
    found = []
    for row in range(len(inputs[0])):
        runtime.put([value[row : row + 1] for value in inputs])
        runtime.call()
        found.append([value.copy() for value in runtime.get()])
    return [np.concatenate(values) for values in zip(*found)]


def distance(found: np.ndarray, expected: np.ndarray) -> Agreement:
    """Compare two arrays [n, ...] of integers of one size, or of real numbers that are not negative, in units of
    float32.
    """
    rows = len(expected)
    found, expected = (_whole(values).astype(np.int64).reshape(rows, -1) for values in (found, expected))
    levels = np.abs(found - expected)
    places = (rows, int(np.count_nonzero(found.argmax(1) == expected.argmax(1)))) if expected.shape[1] > 1 else (0, 0)
    return Agreement(levels.size, int(np.count_nonzero(levels)), int(levels.max()), *places)


def _whole(values: np.ndarray) -> np.ndarray:
    """Return integers as they are, real numbers as the pattern of their bits, which counts their units."""
    return values.astype(np.float32).view(np.int32) if values.dtype.kind == "f" else values


def _total(parts: Sequence[Agreement]) -> Agreement:
    if not parts:
        raise VerificationError("There is nothing to compare.")
    return Agreement(sum(p.compared for p in parts), sum(p.different for p in parts), max(p.largest for p in parts))
