"""Give inputs as each side takes them: the reference, an executor of the file, readers of `interface.json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.errors import VerificationError
from microstage.integer import QTensor
from microstage.integer.sequence import integers
from microstage_streamline.convert import Converted
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.write.model import IntegerModel

__all__ = ["Samples", "attained", "described", "is_raw", "of_reals", "of_vectors", "rows"]

_REALS = 16


@dataclass(frozen=True)
class Samples:
    """`fed` {tensor of the cleaned graph: values} to the reference; `entries` {input of the file: values} to an
    executor, and `answers` {tensor of the file: real values} where the integer graph ends, as far as they are known."""

    fed: Mapping[str, Any]
    entries: Mapping[str, Any]
    answers: Mapping[str, np.ndarray]

    @property
    def count(self) -> int:
        return max(len(getattr(value, "ints", value)) for value in self.fed.values())

    def parts(self, first: int, size: int) -> Iterator[Samples]:
        """Yield so many samples first, then `size` at a time."""
        starts = [0, *range(min(first, self.count), self.count, size), self.count]
        for start, end in zip(starts, starts[1:]):
            yield self.of(range(start, end))

    def of(self, chosen: Iterable[int]) -> Samples:
        """Return some of the samples."""
        sides = (self.fed, self.entries, self.answers)
        return Samples(*({name: rows(value, chosen) for name, value in side.items()} for side in sides))


def rows(value: Any, chosen: Iterable[int]) -> Any:
    """Return some samples of a tensor."""
    chosen = np.asarray(chosen, int)
    return QTensor(value.ints[chosen], value.scale) if isinstance(value, QTensor) else value[chosen]


def of_vectors(
    normal: NormalGraph, written: IntegerModel, fed: Mapping[str, Any], recorded: Mapping[str, np.ndarray]
) -> Samples:
    """Return samples of vectors where integers enter, or of graph inputs; `recorded` is what the integer graph made of
    them.

    A real input that was not given is what `interface.json` says of its integers.
    """
    said, entries = written.interface, {}
    for name in normal.graph.inputs:
        if name in fed:
            entries[name] = _in_the_file(normal, said["inputs"].get(name), name, fed[name])
        elif name in written.entered:
            entries[name] = described(said["inputs"][name], integers(fed[written.entered[name]])).astype(
                normal.graph.inputs[name].real
            )
    examples = {name: normal.values.get(name) for name in said["outputs"]}
    answers = {name: _answered(example, said["outputs"][name], recorded[name]) for name, example in examples.items()}
    return Samples(fed, entries, answers)


def attained(part: Converted, fed: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the drawn integers that the quantiser of a real input can give: between two signs there is no 0.

    They are what it makes of the real values that stand for them, if it makes the same of the values that stand for
    these; where it does not, `interface.json` is wrong, which is for the gate to say.
    """
    found = dict(fed)
    for name, tensor in part.written.entered.items():
        if name in part.normal.graph.inputs and name not in fed:
            once = _quantised(part, name, fed[tensor])
            same = np.array_equal(integers(once), integers(_quantised(part, name, once)))
            found[tensor] = once if same else fed[tensor]
    return found | _of_one_input(part, found)


def _of_one_input(part: Converted, fed: dict[str, Any]) -> dict[str, Any]:
    """Return {input: real values} of each input of the file that several quantisers read: in turn those that stand for
    the integers of each. These are no longer `fed`.
    """
    said = part.written.interface["inputs"]
    sharing: dict[str, list[np.ndarray]] = {}
    for name, tensor in part.written.entered.items():
        if "of" in said[name]:
            sharing.setdefault(said[name]["of"], []).append(described(said[name], integers(fed.pop(tensor))))
    turns = {name: np.arange(len(all_[0])) % len(all_) for name, all_ in sharing.items()}
    return {
        name: np.stack(all_)[turns[name], np.arange(len(all_[0]))].astype(part.normal.graph.inputs[name].real)
        for name, all_ in sharing.items()
    }


def _quantised(part: Converted, name: str, value: Any) -> Any:
    """Return what the file's own operators make of the real values that stand for integers at an input."""
    values = described(part.written.interface["inputs"][name], integers(value)).astype(
        part.normal.graph.inputs[name].real
    )
    tensor = part.written.entered[name]
    return part.normal.graph.run({name: values}, [tensor])[tensor]


def _answered(example: Any, said: Mapping[str, Any], ints: np.ndarray) -> np.ndarray:
    """Return real values of an output; raw integers of a file are these, and a scale belongs to what is made of
    them.
    """
    return ints.astype(np.float64) if is_raw(example) else described(said, ints)


def is_raw(example: Any) -> bool:
    """Tell whether a tensor of the cleaned graph is integers without a scale."""
    return isinstance(example, np.ndarray) and example.dtype.kind in "iu"


def of_reals(normal: NormalGraph, written: IntegerModel) -> Samples | None:
    """Draw real inputs that no integers stand for, between levels and outside the range; None where no input is
    real.
    """
    rng, drawn = np.random.Generator(np.random.PCG64(2)), {}
    for name, entry in normal.graph.inputs.items():
        shape = (_REALS, *entry.shape[1:])
        if entry.datatype is None:
            drawn[name] = _reals(rng, shape, _behind(name, normal, written)).astype(entry.real)
        else:
            ints = rng.integers(*entry.datatype, shape, endpoint=True)
            drawn[name] = QTensor(ints, normal.values[name].scale) if isinstance(normal.values[name], QTensor) else ints
    if all(entry.datatype for entry in normal.graph.inputs.values()):
        return None
    said = written.interface["inputs"]
    return Samples(
        drawn, {name: _in_the_file(normal, said.get(name), name, value) for name, value in drawn.items()}, {}
    )


def _in_the_file(normal: NormalGraph, said: Mapping[str, Any] | None, name: str, value: Any) -> Any:
    """Return values of an input as the file has them: real ones where the user said as which integers they are
    given.
    """
    entry = normal.graph.inputs[name]
    return value if entry.scale is None or said is None else described(said, integers(value)).astype(entry.real)


def _behind(name: str, normal: NormalGraph, written: IntegerModel) -> list[dict[str, Any]]:
    """Return what `interface.json` says of an input; where several quantisers read it, of what enters behind them."""
    said = written.interface["inputs"]
    behind = [found for other, found in said.items() if other not in normal.graph.inputs]
    return [said[name]] if name in said else behind


def _reals(rng: np.random.Generator, shape: tuple[int, ...], entries: list[dict[str, Any]]) -> np.ndarray:
    """Draw values: the first two samples beyond either end, the third halfway between two levels, the others
    anywhere.
    """
    if not entries:  # nobody reads it
        return rng.normal(size=shape).astype(np.float32)
    ends = [_line(said, np.float64(end)) for said in entries for end in said["range"]]
    low, high = min(np.min(end) for end in ends), max(np.max(end) for end in ends)
    step = min(np.min(np.abs(said["scale"])) for said in entries)
    values = rng.uniform(low, high, shape)
    values[2] = (np.floor(values[2] / step) + 0.5) * step
    values[0], values[1] = low - (high - low), high + (high - low)
    return values


def described(said: Mapping[str, Any], ints: np.ndarray) -> np.ndarray:
    """Return real values of integers [n, ...] as `interface.json` has them: scale * (integer - zero_point) + offset.

    Scale and offset are of all, or of each channel.
    """
    return _line({**said, **{name: _spread(said.get(name, 0.0), ints.shape) for name in ("scale", "offset")}}, ints)


def _line(said: Mapping[str, Any], ints: np.ndarray) -> np.ndarray:
    return np.multiply(said["scale"], ints - np.float64(said["zero_point"])) + said.get("offset", 0.0)


def _spread(value: float | list[float], shape: tuple[int, ...]) -> np.ndarray:
    """Shape one number for all, one for each element, or one for each place of the first axis that is as long."""
    values = np.asarray(value, np.float64)
    if values.size == 1 or values.size == np.prod(shape[1:]):
        return values.reshape(shape[1:]) if values.size > 1 else values
    axis = next((axis for axis in range(1, len(shape)) if shape[axis] == values.size), None)
    if axis is None:
        raise VerificationError(f"{values.size} scales or offsets are stated for a tensor of shape {list(shape)}.")
    return values.reshape([-1] + [1] * (len(shape) - axis - 1))
