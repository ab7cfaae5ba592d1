"""What the stage proves: reference against brevitas' simulation, and onnxruntime against the reference.

Each boundary and time step is computed from the same integers on both sides, so that one difference cannot hide
another; a difference must be an explained tie. Free-running differences are reported, not asserted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import onnx
import onnxruntime

from microstage.errors import VerificationError
from microstage.integer import Interpreter, real
from microstage.integer.sequence import run_in_batches
from microstage.roles import Sequence
from microstage.stage import Job
from microstage_qcdq.boundaries import Boundary, boundaries, source_values, target_values
from microstage_qcdq.graphs import constant
from microstage_qcdq.lstm_step import Curves
from microstage_qcdq.stock import in_stock_operators
from microstage_qcdq.ties import integers, unexplained_entries, unexplained_levels, unexplained_values

__all__ = [
    "against_onnxruntime",
    "against_simulation",
    "from_any_state",
    "prove_entry",
    "report_answers",
    "report_errors",
    "session",
]

Parts = Mapping[str, onnx.ModelProto]
Ranges = Mapping[str, tuple[int, int]]
_RANDOM_STATES = 2048


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """onnxruntime on one thread with graph optimisations off: what is written is what runs."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        in_stock_operators(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def against_simulation(
    job: Job, parts: Parts, sequence: Sequence | None, recorded: Mapping[str, np.ndarray], curves: Curves
) -> None:
    """Feed brevitas' integers to the reference, boundary by boundary, and compare with what brevitas went on to
    compute.

    `curves` tell how close to a tie an entry of a table is: brevitas evaluates sigmoid and tanh anew, in float32.
    """
    every = [b for part, model in parts.items() for b in boundaries(part, model)]
    for boundary in job.progress(every, len(every), "reference against brevitas"):
        sources = source_values(boundary, recorded, sequence)
        exact = run_in_batches(Interpreter(boundary.model), sources, boundary.name)
        found = target_values(boundary, recorded, sequence)
        _compare(
            job, f"brevitas {_recorded(boundary, sequence)}", boundary, sources, exact, found, curves.get(boundary.name)
        )


def against_onnxruntime(job: Job, parts: Parts, sequence: Sequence | None, reference: Mapping[str, np.ndarray]) -> None:
    """Feed the reference's integers to onnxruntime, boundary by boundary, and compare with the reference."""
    every = [b for part, model in parts.items() for b in boundaries(part, model)]
    for boundary in job.progress(every, len(every), "onnxruntime against reference"):
        sources = source_values(boundary, reference, sequence)
        found = _onnxruntime(boundary, sources)
        exact = run_in_batches(Interpreter(boundary.model), sources, boundary.name)
        if not np.array_equal(integers(exact).reshape(-1), target_values(boundary, reference, sequence).reshape(-1)):
            raise VerificationError(f"At {boundary.name} the reference disagrees with itself when run in pieces.")
        _compare(job, f"onnxruntime {_recorded(boundary, sequence)}", boundary, sources, exact, found)


def from_any_state(job: Job, step: onnx.ModelProto, sequence: Sequence, bounds: Ranges) -> None:
    """One LSTM step from states that training never saw: random over the full range, and every extreme."""
    rng = np.random.Generator(np.random.PCG64(0))
    shapes = {i.name: i.type.tensor_type.shape.dim[-1].dim_value for i in step.graph.input}
    ranges = {n: bounds[n] for n in shapes}
    states = {n: rng.integers(low, high + 1, (_RANDOM_STATES, shapes[n])) for n, (low, high) in ranges.items()}
    grid = np.array(np.meshgrid(*ranges.values())).reshape(len(shapes), -1).T
    ends = {n: np.repeat(grid[:, k : k + 1], width, 1) for k, (n, width) in enumerate(shapes.items())}
    values = {n: np.concatenate([states[n], ends[n]]) for n in shapes}
    every = list(boundaries(sequence.cell, step))
    known = {**values, **{n: integers(v) for n, v in Interpreter(step).run(values, [b.name for b in every]).items()}}
    for boundary in every:
        sources = {name: known[name] for name in boundary.sources}
        exact = run_in_batches(Interpreter(boundary.model), sources, boundary.name)
        _compare(
            job, f"any state {_recorded(boundary, sequence)}", boundary, sources, exact, _onnxruntime(boundary, sources)
        )


def _recorded(boundary: Boundary, sequence: Sequence | None) -> str:
    """Its name in golden vectors."""
    return boundary.name if sequence is None else sequence.recorded(boundary.part, boundary.name)


def prove_entry(
    job: Job, quantiser: onnx.ModelProto, real_input: str, values: np.ndarray, simulated: np.ndarray
) -> None:
    """The quantiser that a network begins with: reference, brevitas' integers and onnxruntime's from the same real
    values."""
    name = quantiser.graph.output[0].name
    expected = Interpreter(quantiser).run({real_input: values})[name].astype(np.int64)
    scale = float(constant(quantiser.graph, f"{name}.scale"))
    for side, found in (
        ("brevitas", simulated),
        ("onnxruntime", session(quantiser).run([name], {real_input: values})[0]),
    ):
        different = int(np.count_nonzero(expected != found))
        if wrong := unexplained_levels(values.astype(np.float64), scale, expected, found):
            raise VerificationError(
                f"At {side} {name} {wrong} of {expected.size} integers differ beyond the rounding bound."
            )
        job.verified(f"{side} {name}", expected.size, expected.size - different, different)


def _onnxruntime(boundary: Boundary, sources: Mapping[str, np.ndarray]) -> np.ndarray:
    kinds = {i.name: i.type.tensor_type.elem_type for i in boundary.model.graph.input}
    numpy_kinds = {n: np.int8 if kind == onnx.TensorProto.INT8 else np.uint8 for n, kind in kinds.items()}
    inputs = {name: np.ascontiguousarray(value.astype(numpy_kinds[name])) for name, value in sources.items()}
    return session(boundary.model).run([boundary.name], inputs)[0]


def _compare(job: Job, label: str, boundary: Boundary, sources, exact, found: np.ndarray, curve=None) -> None:
    """`found` against the reference: by level at a quantiser, within the rounding bound where the network ends."""
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


def report_answers(job: Job, exact: np.ndarray, found: np.ndarray, recorded: Mapping[str, np.ndarray]) -> None:
    """How often the classes [n] are right, and how often the composed model's differ: figures, not conditions."""
    found, rows = found.reshape(exact.shape), recorded["real"].astype(bool)
    job.metric("golden.answers", int(rows.sum()))
    job.metric("golden.accuracy.reference", float(f"{np.mean((exact == recorded['label'])[rows]):.9g}"))
    job.metric("golden.accuracy.composed", float(f"{np.mean((found == recorded['label'])[rows]):.9g}"))
    job.metric("free_running.composed.answers_differing", int(np.count_nonzero(found != exact)))


def report_errors(job: Job, exact: np.ndarray, found: np.ndarray, recorded: Mapping[str, np.ndarray]) -> None:
    """The same of answers [n, ...] that are estimates: their errors, and how far the composed model's are away."""
    found = found.astype(np.float64)
    job.metric("free_running.composed.max_relative_difference", float(f"{_relative(found, exact):.3g}"))
    truth, rows = recorded["truth"], recorded["real"].astype(bool)
    if truth.shape == exact.shape:
        job.metric(
            "golden.mae.reference", [float(f"{v:.6g}") for v in np.abs(exact[rows] - truth[rows]).mean(0).reshape(-1)]
        )
        job.metric(
            "golden.mae.composed", [float(f"{v:.6g}") for v in np.abs(found[rows] - truth[rows]).mean(0).reshape(-1)]
        )


def _relative(found: np.ndarray, exact: np.ndarray) -> float:
    found, exact = found.reshape(len(exact), -1), exact.reshape(len(exact), -1)
    return float((np.abs(found - exact) / np.maximum(np.abs(exact).max(axis=1, keepdims=True), 1e-30)).max())
