"""Plan which golden vectors a part is checked with, and write their bytes for the self test.

`golden.bin` holds, vector after vector, the values of each used boundary in the order of `Plan.boundaries`, as
little-endian two's complement of the smallest of 1, 2, 4 or 8 bytes; no header; behind them, `sounds`. A binary file,
as the vectors of a whole test split are megabytes that a compiler would have to parse as text; the self test reads one
vector at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from microstage.errors import ArtefactError, ModelError, VerificationError
from microstage.integer.sequence import carried_into
from microstage_cbackend.program.ir import Part, Tensor
from microstage_cbackend.program.model import Model, RecurrentModel, SteppedModel
from microstage_cbackend.vectors.real import RealVectors, real_vectors
from microstage_cbackend.vectors.sounds import Sounds, sounds
from microstage_cbackend.writers.names import labels, unique

__all__ = ["Check", "Plan", "make_plan"]


@dataclass
class Check:
    """Describe the check of one part, called `steps` times a vector: what goes in, and what is expected."""

    part: Part
    steps: int
    feeds: dict[str, tuple[str, int]]
    "Input name -> (boundary, offset of its first value in the boundary); states that are carried are not listed."
    expects: dict[str, str]
    "Output name -> boundary."


@dataclass
class Plan:
    """Hold what the self test replays: `boundaries` name -> integers [vectors, ...], in file order."""

    vectors: int
    boundaries: dict[str, np.ndarray]
    checks: list[Check]
    real: RealVectors | None = None
    "What the float functions are compared on; None where there is nothing to compare them with."
    sounds: Sounds | None = None
    "What the functions on sound are compared on."
    length: int = 1
    "Steps that each vector has, where all parts run at every step."
    steps: int = 1
    "Those of them that one answer takes."

    def at_ends(self, name: str, size: int, output: bool) -> np.ndarray:
        """Return the values [vectors, size] of an input or output of the whole network, where it answers once."""
        start = (self.steps - 1) * size if output else 0
        return self.boundaries[name].reshape(self.vectors, -1)[:, start : start + size]

    def sizes(self) -> dict[str, int]:
        """Count the values per vector of each boundary."""
        return {name: prod(values.shape[1:]) for name, values in self.boundaries.items()}

    def widths(self) -> dict[str, int]:
        """Count the bytes per value of each boundary in golden.bin."""
        return {name: _width(values) for name, values in self.boundaries.items()}

    @cached_property
    def labels(self) -> dict[str, str]:
        """Return what the self test prints for each boundary."""
        return labels([*self.boundaries])

    @cached_property
    def arrays(self) -> dict[str, str]:
        """Return the array of the self test that holds each boundary."""
        return {name: f"golden_{own}" for name, own in zip(self.boundaries, unique(self.boundaries))}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return {label: shape per vector}, by which a difference is named by its place in golden.npz."""
        return {self.labels[name]: values.shape[1:] for name, values in self.boundaries.items()}

    def data(self) -> bytes:
        """Return the bytes of golden.bin."""
        flat = [v.reshape(self.vectors, -1).astype(f"<i{_width(v)}") for v in self.boundaries.values()]
        vectors = b"".join(values[i].tobytes() for i in range(self.vectors) for values in flat)
        return vectors + (self.sounds.data() if self.sounds else b"")


def _width(values: np.ndarray) -> int:
    reach = max(abs(int(values.min())), abs(int(values.max())) + 1)
    return next(n for n in (1, 2, 4, 8) if reach <= 2 ** (8 * n - 1))


def make_plan(model: Model, golden: dict[str, np.ndarray]) -> Plan:
    """Plan the checks of every part of `model` against `golden` (boundary -> [vectors, ...]).

    Raises `ArtefactError` where a boundary is missing, `VerificationError` where one leaves its tensor's range.
    """
    length = steps = 1
    if isinstance(model.recurrent, SteppedModel):
        steps = model.recurrent.steps
        golden, length = _with_states(model.recurrent, golden)
        checks = [_stepped_check(part, golden, model.recurrent, length) for part in model.recurrent.parts]
    else:
        checks = [_check(part, golden, model.recurrent) for part in model.parts]
    real = real_vectors(model, golden, length)
    used = {boundary for c in checks for boundary in [*(b for b, _ in c.feeds.values()), *c.expects.values()]}
    used |= {t.name for t in model.recurrent.inputs} if model.recurrent and model.recurrent.head else set()
    boundaries = {name: _integers(name, golden[name]) for name in golden if name in used} | (real.bits if real else {})
    counts = {len(v) for v in boundaries.values()}
    if len(counts) != 1 or counts.pop() == 0:
        raise ArtefactError(
            "golden.npz holds no vectors, or boundaries of different counts; run the stage before again."
        )
    _check_ranges(checks, boundaries)
    return Plan(len(next(iter(boundaries.values()))), boundaries, checks, real, sounds(model), length, steps)


def _with_states(recurrent: SteppedModel, golden: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], int]:
    """Return `golden` with what each step takes of carried states, settled, and how many steps a vector has."""
    needed = [t.name for t in (*recurrent.step_inputs, *([recurrent.exponent] if recurrent.exponent else []))]
    for name in [*needed, *recurrent.sequence.carried.values()]:
        if name not in golden:
            raise ArtefactError(
                f"golden.npz has no boundary {name}, which the steps take or carry; it has {sorted(golden)}."
            )
    length = golden[needed[0]].shape[1]
    if length < recurrent.steps:
        raise ArtefactError(f"golden.npz has records of {length} steps; an answer takes {recurrent.steps}.")
    return {**golden, **carried_into(recurrent.sequence, recurrent.settling, golden)}, length


def _stepped_check(part: Part, golden: dict[str, np.ndarray], recurrent: SteppedModel, length: int) -> Check:
    """Check every step of `part` on the reference's integers."""
    after = {new: old for old, new in recurrent.sequence.states.items()}
    taken = {t.name: recurrent.source(part, t.name) for t in part.inputs if t.name not in dict(part.states)}
    feeds = {name: (after.get(source, source), 0) for name, source in taken.items()}
    expects = {name: recurrent.sequence.recorded(part.name, name) for name in part.output_names}
    given = [(feeds[t.name][0], t) for t in part.inputs if t.name in feeds]
    for boundary, tensor in [*given, *zip(expects.values(), part.outputs)]:
        if _size(part, boundary, golden) != length * tensor.size:
            found = _size(part, boundary, golden)
            wanted = f"{length} steps of {part.name} have {length} times {tensor.size}"
            raise ArtefactError(f"Boundary {boundary} of golden.npz has {found} values; {wanted}.")
    return Check(part, length, feeds, expects)


def _check(part: Part, golden: dict[str, np.ndarray], recurrent: RecurrentModel | None) -> Check:
    """Check `part` on the reference's integers: a cell step by step, what follows it on its last step."""
    states, feeds, steps, length = dict(part.states), {}, 1, recurrent.steps if recurrent else 1
    over_time = recurrent.sequence.steps if recurrent and part is recurrent.cell else {}
    last = recurrent.sequence.last if recurrent and part is recurrent.head else {}
    for tensor in part.inputs:
        if tensor.name in states:
            continue
        boundary = over_time.get(tensor.name) or last.get(tensor.name, tensor.name)
        size = _size(part, boundary, golden)
        times = length if states or tensor.name in last else 1
        if size != times * tensor.size:
            raise ArtefactError(
                f"Boundary {boundary} of golden.npz has {size} values; {part.name} takes {times} times {tensor.size}."
            )
        steps = times if states else 1
        feeds[tensor.name] = (boundary, 0 if states else size - tensor.size)  # else the last step of a sequence
    after = {new: old for old, new in states.items()}
    expects = {name: after.get(name, name) for name in part.output_names}
    for (name, boundary), tensor in zip(expects.items(), part.outputs):
        if _size(part, boundary, golden) != steps * tensor.size:
            found = _size(part, boundary, golden)
            raise ArtefactError(
                f"Boundary {boundary} of golden.npz has {found} values; {part.name}.{name} gives {steps * tensor.size}."
            )
    return Check(part, steps, feeds, expects)


def _size(part: Part, boundary: str, golden: dict[str, np.ndarray]) -> int:
    if boundary not in golden:
        raise ArtefactError(
            f"golden.npz has no boundary {boundary}, which {part.name} reads or computes; it has {sorted(golden)}."
        )
    return prod(golden[boundary].shape[1:])


def _integers(name: str, values: np.ndarray) -> np.ndarray:
    whole = np.rint(values).astype(np.int64) if values.dtype.kind == "f" else values.astype(np.int64)
    if np.any(whole != values):
        raise ModelError(
            f"Boundary {name} of golden.npz holds values that are no integers; scales belong to interface.json."
        )
    return whole


def _check_ranges(checks: list[Check], boundaries: dict[str, np.ndarray]) -> None:
    for check in checks:
        tensors: dict[str, Tensor] = {t.name: t for t in check.part.inputs}
        tensors |= dict(zip(check.part.output_names, check.part.outputs))
        for name, boundary in [*((n, b) for n, (b, _) in check.feeds.items()), *check.expects.items()]:
            values, tensor = boundaries[boundary], tensors[name]
            if int(values.min()) < tensor.low or int(values.max()) > tensor.high:
                raise VerificationError(
                    f"Golden {boundary} spans {values.min()}..{values.max()}, but {check.part.name}.{name} is proven "
                    f"to lie in {tensor.low}..{tensor.high}."
                )
