"""What the stage proves: reference against brevitas' simulation, and onnxruntime against the reference.

Each boundary and time step is computed from the same integers on both sides, so that one difference cannot hide
another; a difference must be an explained tie. Free-running differences are reported, not asserted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
import onnx
import onnxruntime

from microstage.errors import VerificationError
from microstage.integer import Interpreter, real
from microstage.integer.sequence import run_in_batches
from microstage.stage import Job
from microstage_qcdq.graph.boundaries import Boundary, boundaries
from microstage_qcdq.graph.build import constant, find_constant
from microstage_qcdq.graph.onnxruntime_operators import in_stock_operators
from microstage_qcdq.prove.rows import Rows
from microstage_qcdq.prove.ties import integers, unexplained_entries, unexplained_levels, unexplained_values
from microstage_qcdq.split.entries import QuantisedInput
from microstage_qcdq.split.lstm_step import Curves

__all__ = [
    "against_onnxruntime",
    "against_simulation",
    "from_any_state",
    "prove_entry",
    "session",
]

Parts = Mapping[str, onnx.ModelProto]
Ranges = Mapping[str, tuple[int, int]]
_RANDOM_STATES = 2048


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Start onnxruntime on one thread with graph optimisations off: what is written is what runs."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        in_stock_operators(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def against_simulation(job: Job, parts: Parts, recorded: Rows, curves: Curves) -> None:
    """Feed brevitas' integers to the reference, boundary by boundary, and compare with what brevitas computed of them.

    `curves` tell how close to a tie an entry of a table is: brevitas evaluates sigmoid and tanh anew, in float32.
    """
    every = [b for part, model in parts.items() for b in boundaries(part, model)]
    for boundary in job.progress(every, len(every), "reference against brevitas"):
        sources = recorded.sources(boundary)
        exact = run_in_batches(Interpreter(boundary.model), sources, boundary.name)
        found = recorded.target(boundary)
        if not boundary.quantised and found.dtype.kind == "i":  # what is carried is recorded as integers
            found = found.reshape(exact.shape) * exact.scale
        label = f"brevitas {recorded.recorded(boundary)}"
        _compare(job, label, boundary, sources, exact, found, curves.get(boundary.name))


def against_onnxruntime(job: Job, parts: Parts, reference: Rows) -> None:
    """Feed the reference's integers to onnxruntime, boundary by boundary, and compare with the reference."""
    every = [b for part, model in parts.items() for b in boundaries(part, model)]
    for boundary in job.progress(every, len(every), "onnxruntime against reference"):
        sources = reference.sources(boundary)
        found = _onnxruntime(boundary, sources)
        exact = run_in_batches(Interpreter(boundary.model), sources, boundary.name)
        if not np.array_equal(integers(exact).reshape(-1), reference.target(boundary).reshape(-1)):
            raise VerificationError(f"At {boundary.name} the reference disagrees with itself when run in pieces.")
        _compare(job, f"onnxruntime {reference.recorded(boundary)}", boundary, sources, exact, found)


def from_any_state(job: Job, parts: Iterable[tuple[str, onnx.ModelProto]], bounds: Ranges, reference: Rows) -> None:
    """Prove one step of `parts` from states that training never saw: random over the full range, and every extreme."""
    for part, model in parts:
        values = _any_values(model, bounds)
        every = list(boundaries(part, model))
        found = Interpreter(model).run(values, [b.name for b in every])
        known = {**values, **{name: integers(value) for name, value in found.items()}}
        for boundary in every:
            sources = {name: known[name] for name in boundary.sources}
            exact = run_in_batches(Interpreter(boundary.model), sources, boundary.name)
            label = f"any state {reference.recorded(boundary)}"
            _compare(job, label, boundary, sources, exact, _onnxruntime(boundary, sources))


def _any_values(model: onnx.ModelProto, bounds: Ranges) -> dict[str, np.ndarray]:
    """Return inputs of a part: rows of random integers, and rows that are all at one end of their range."""
    rng = np.random.Generator(np.random.PCG64(0))
    shapes = {i.name: [dim.dim_value for dim in i.type.tensor_type.shape.dim][1:] for i in model.graph.input}
    ranges = {name: bounds[name] for name in shapes}
    drawn = {n: rng.integers(low, high + 1, (_RANDOM_STATES, *shapes[n])) for n, (low, high) in ranges.items()}
    grid = np.array(np.meshgrid(*ranges.values())).reshape(len(shapes), -1)
    ends = {n: np.ones((1, *shapes[n]), np.int64) * _column(grid[k], shapes[n]) for k, n in enumerate(shapes)}
    return {n: np.concatenate([drawn[n], ends[n]]) for n in shapes}


def _column(values: np.ndarray, shape: list[int]) -> np.ndarray:
    return values.reshape(-1, *[1] * len(shape))


def prove_entry(job: Job, entry: QuantisedInput, values: np.ndarray, simulated: np.ndarray) -> None:
    """Prove the quantiser that a network begins with.

    Compare the reference's integers with brevitas' and onnxruntime's, from the same real values.
    """
    name, quantiser = entry.name, entry.quantiser
    expected = Interpreter(quantiser).run({entry.real: values})[name].astype(np.int64)
    scale, zero = constant(quantiser.graph, f"{name}.scale"), find_constant(quantiser.graph, f"{name}.zero")
    zero = 0 if zero is None else int(zero)
    for side, found in (
        ("brevitas", simulated),
        ("onnxruntime", session(quantiser).run([name], {entry.real: values})[0]),
    ):
        different = int(np.count_nonzero(expected != found))
        if wrong := unexplained_levels(
            values.astype(np.float64), float(scale), expected - zero, found.astype(np.int64) - zero, entry.rounding
        ):
            raise VerificationError(
                f"At {side} {name} {wrong} of {expected.size} integers differ beyond the rounding bound."
            )
        job.verified(f"{side} {name}", expected.size, expected.size - different, different)


def _onnxruntime(boundary: Boundary, sources: Mapping[str, np.ndarray]) -> np.ndarray:
    kinds = {
        i.name: onnx.helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type) for i in boundary.model.graph.input
    }
    inputs = {name: np.ascontiguousarray(value.astype(kinds[name])) for name, value in sources.items()}
    found = session(boundary.model).run([boundary.name], inputs)[0]
    return found if boundary.scale is None else np.rint(found / boundary.scale)


def _compare(job: Job, label: str, boundary: Boundary, sources, exact, found: np.ndarray, curve=None) -> None:
    """Compare `found` with the reference: by level at a quantiser, within the rounding bound where the network ends."""
    if boundary.quantised:
        expected = integers(exact)
        found = found.reshape(expected.shape)
        different = int(np.count_nonzero(expected != found))
    else:
        expected = real(exact)
        found = np.asarray(found, np.float64).reshape(expected.shape)
        # half a level away or less, a real answer stands for the reference's own integer
        different = int(np.count_nonzero(np.abs(found - expected) > np.asarray(exact.scale) / 2))
    wrong = 0
    if different or not boundary.quantised:
        explain = (
            partial(unexplained_values, boundary) if curve is None else partial(unexplained_entries, curve, boundary)
        )
        wrong = explain(sources, expected, found)
    if wrong:
        raise VerificationError(
            f"At {label} {wrong} of {expected.size} integers differ beyond the rounding bound"
            f" ({different - min(wrong, different)} more are explained ties)."
        )
    job.verified(label, expected.size, expected.size - different, different)
