"""A network that is stepped window by window, in stock onnxruntime.

One step with its states in and out, and all steps of an answer from zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from microstage.interface.answer import PhasorMean
from microstage.interface.recurrence import Recurrence
from microstage.models.definition import StepDeclaration
from microstage.signals.settle import RunningMean, Settling
from microstage_qcdq.compose.gain import block_float
from microstage_qcdq.graph.build import PartBuilder, float_value, int8_value, make_model
from microstage_qcdq.graph.inlining import inlined, zeros
from microstage_qcdq.graph.onnxruntime_operators import in_stock_operators
from microstage_qcdq.split.entries import WindowInput
from microstage_qcdq.split.part import answers_to_zeros

__all__ = ["EXPONENT_NEXT", "compose_step", "compose_steps"]

_EXPONENT = "exponent"
EXPONENT_NEXT = f"{_EXPONENT}_next"
_REACH = 40  # places beyond which nothing is left of a state, or all is beyond its top
Parts = Mapping[str, onnx.ModelProto]


def compose_step(
    name: str,
    parts: Parts,
    sequence: Recurrence,
    window: WindowInput,
    declared: StepDeclaration,
    settling: Settling,
) -> onnx.ModelProto:
    """Return the model of one step.

    `waveform` [B, S], every state and the `exponent` [B, 1] of the step before become `amplitudes` [B, k], every state
    and the exponent behind it. A window that has no answer is answered by no numbers, and leaves states and exponent.
    """
    b, gain = PartBuilder(), declared.gain
    factor = block_float(b, window)
    low = b.constant("gain.lowest", np.int32(gain.exponents[0]))
    now = b.add("Add", [f"{factor}.index", low], f"{factor}.exponent")
    taken = _settled(b, sequence, settling, b.add("Sub", [now, _EXPONENT], "shift"))
    made = _run_parts(b, parts, sequence, taken)
    states = _state_values(parts, sequence)
    old_and_new = {**sequence.states, **sequence.carried, _EXPONENT: EXPONENT_NEXT}
    for old, new in old_and_new.items():
        _kept(b, f"{factor}.held", now if old == _EXPONENT else made[new], old, new, states[old])
    _answer(b, declared.answer, made, f"{factor}.or_none", _called(declared))
    inputs = [float_value(gain.inputs[gain.window], ["B", int(np.prod(window.shape[1:]))]), *states.values()]
    width = answers_to_zeros(parts[sequence.parts[-1]])[declared.answer.count].shape[1:]
    outputs = [float_value(_called(declared), ["B", *width])]
    outputs += [_renamed(states[old], new) for old, new in old_and_new.items()]
    return in_stock_operators(make_model(f"{name}_step", b.nodes, b.initializers, inputs, outputs))


def compose_steps(step: onnx.ModelProto, declared: StepDeclaration) -> onnx.ModelProto:
    """Return the model of a whole record, from states of zero: a Scan over `step`.

    `waveform` [B, length * S] becomes `amplitudes` [B, k] after the last step; no numbers where any window of it has no
    answer.
    """
    b, waveform, answer = PartBuilder(), declared.gain.inputs[declared.gain.window], _called(declared)
    window, *states = step.graph.input
    samples = window.type.tensor_type.shape.dim[1].dim_value
    shape = b.constant("windows", np.int64([-1, declared.length, samples]))
    steps = b.add("Transpose", [b.add("Reshape", [waveform, shape], "by_record")], "by_time", perm=[1, 0, 2])
    batch = b.add("Shape", [waveform], "batch.shape")
    batch = b.add("Slice", [batch, b.constant("zero", np.int64([0])), b.constant("one", np.int64([1]))], "batch")
    first = [zeros(b, state, batch) for state in states]
    after = [f"{state.name}.last" for state in states]
    scan = helper.make_node("Scan", [*first, steps], [*after, "answers"], body=_body(step), num_scan_inputs=1)
    b.nodes.append(scan)
    last = b.add("Gather", ["answers", b.constant("last", np.int64(-1))], "answers.last", axis=0)
    total = b.add("ReduceSum", ["answers", b.constant("time", np.int64([0]))], "answers.sum", keepdims=0)
    nothing = b.add("Sub", [total, total], "answers.or_none")  # 0, or NaN
    b.add("Add", [last, nothing], answer)
    output = onnx.ValueInfoProto.FromString(step.graph.output[0].SerializeToString())
    inputs = [float_value(waveform, ["B", declared.length * samples])]
    return make_model(step.graph.name.removesuffix("_step"), b.nodes, b.initializers, inputs, [output])


def _called(declared: StepDeclaration) -> str:
    """Return what the answer is called in real numbers."""
    return declared.gain.outputs[declared.answer.name]


def _settled(b: PartBuilder, sequence: Recurrence, settling: Settling, shift: str) -> dict[str, str]:
    """Return {carried state: the integers that this step takes}: `settle` in float64, which is exact on its numbers."""
    wide = {state: b.add("Cast", [state], f"{state}.wide", to=TensorProto.DOUBLE) for state in sequence.carried}
    powers = b.constant("settle.powers", np.ldexp(1.0, -np.arange(-_REACH, _REACH + 1)))
    ends = [b.constant(f"settle.{name}", np.int32(value)) for name, value in (("least", -_REACH), ("most", _REACH))]
    places = b.add("Sub", [b.add("Clip", [shift, *ends], "shift.held"), ends[0]], "shift.place")
    factor, half = b.add("Gather", [powers, places], "settle.factor"), b.constant("settle.half", np.float64(0.5))
    mean = settling.mean
    for state, top in settling.tops.items():
        moved = b.add("Mul", [b.add("Neg", [wide[state]], f"{state}.turned"), factor], f"{state}.moved")
        nearest = b.add("Floor", [b.add("Add", [moved, half], f"{state}.lifted")], f"{state}.nearest")
        most = (
            _largest_sum(b, mean, wide)
            if mean is not None and state == mean.sum
            else b.constant(f"{state}.top", np.float64(top))
        )
        least = b.add("Neg", [most], f"{state}.bottom")
        wide[state] = b.add("Max", [b.add("Min", [nearest, most], f"{state}.below"), least], f"{state}.held")
    if mean is not None:
        _halve(b, mean, wide, half)
    return {state: b.add("Cast", [value], f"{state}.settled", to=TensorProto.INT32) for state, value in wide.items()}


def _largest_sum(b: PartBuilder, mean: RunningMean, wide: Mapping[str, str]) -> str:
    """Append the largest size that the sums can have at their counts."""
    counts = _both(b, wide[mean.count])
    return b.add("Mul", [counts, b.constant("settle.summand", np.float64(mean.summand))], f"{mean.sum}.top")


def _both(b: PartBuilder, values: str) -> str:
    """Append what holds for each phasor, for its real part and for its imaginary one."""
    return b.add("Concat", [values, values], f"{values}.both", axis=1)


def _halve(b: PartBuilder, mean: RunningMean, wide: dict[str, str], half: str) -> None:
    """Append the sum's half, rounded up, and half the count, where the mean is full."""
    most = b.constant("settle.full", np.float64(mean.most))
    count, total = wide[mean.count], wide[mean.sum]
    room = b.add("Less", [count, most], "settle.room")
    lifted = b.add("Add", [b.add("Mul", [total, half], "settle.halved"), half], "settle.half_sum")
    halved = b.add("Floor", [lifted], "settle.new_sum")
    wide[mean.sum] = b.add("Where", [_both(b, room), total, halved], f"{mean.sum}.after")
    fresh = b.constant("settle.new_count", np.float64(mean.most >> 1))
    wide[mean.count] = b.add("Where", [room, count, fresh], f"{mean.count}.after")


def _run_parts(b: PartBuilder, parts: Parts, sequence: Recurrence, taken: Mapping[str, str]) -> dict[str, str]:
    """Append encoder, cell and head in a row; return {output: its integers, `<output>.real`: it as it is}.

    Integers of sums are int32.
    """
    known = dict(taken)
    for name in sequence.parts:
        part = parts[name]
        known |= {new: known[old] for new, old in _reads(sequence, name).items()}
        found = inlined(b, part, _fed(b, part, known, name), f"{name}.")
        for output, tensor in found.items():
            known[output] = _integers(b, part, output, tensor)
            known[f"{output}.real"] = tensor
    return known


def _reads(sequence: Recurrence, part: str) -> Mapping[str, str]:
    if part == sequence.cell:
        return sequence.steps
    return {name: sequence.states[of] for name, of in sequence.last.items()} if part == sequence.head else {}


def _fed(b: PartBuilder, part: onnx.ModelProto, known: Mapping[str, str], name: str) -> dict[str, str]:
    """Return {input of `part`: tensor that it reads}.

    It has the input's type, and no axis of one step where the input has none.
    """
    read = {}
    for value in part.graph.input:
        kind = value.type.tensor_type
        shape = b.constant(f"{value.name}.shape", np.int64([-1, *(dim.dim_value for dim in kind.shape.dim[1:])]))
        source = known.get(value.name, value.name)
        taken = b.add("Cast", [source], f"{name}.{value.name}.typed", to=kind.elem_type)
        read[value.name] = b.add("Reshape", [taken, shape], f"{name}.{value.name}.taken")
    return read


def _integers(b: PartBuilder, part: onnx.ModelProto, output: str, tensor: str) -> str:
    """Return the integers of an output that comes as real numbers, at the scale of its sums."""
    value = next(value for value in part.graph.output if value.name == output)
    if value.type.tensor_type.elem_type != TensorProto.FLOAT:
        return tensor
    scale = np.asarray(answers_to_zeros(part)[output].scale, np.float32)
    levels = b.add("Div", [tensor, b.constant(f"{tensor}.scale", scale)], f"{tensor}.levels")
    return b.add("Cast", [b.add("Round", [levels], f"{tensor}.rounded")], f"{tensor}.integers", to=TensorProto.INT32)


def _state_values(parts: Parts, sequence: Recurrence) -> dict[str, onnx.ValueInfoProto]:
    """Return every state as a graph input, and the exponent."""
    given = {value.name: value for part in parts.values() for value in part.graph.input}
    states = {name: given[name] for name in (*sequence.states, *sequence.carried)}
    return {**states, _EXPONENT: int8_value(_EXPONENT, ["B", 1], TensorProto.INT32)}


def _kept(b: PartBuilder, held: str, made: str, old: str, new: str, value: onnx.ValueInfoProto) -> None:
    """Append `new`: what was `made` where the window has an answer, else the `old` state."""
    kind = value.type.tensor_type.elem_type
    sides = [
        b.add("Cast", [side], f"{new}.{role}", to=TensorProto.INT32) for side, role in ((made, "made"), (old, "old"))
    ]
    chosen = b.add("Where", [held, *sides], f"{new}.chosen")
    b.add("Cast", [chosen], new, to=kind)


def _answer(b: PartBuilder, mean: PhasorMean, made: Mapping[str, str], factor: str, output: str) -> None:
    """Append max(0, |sum| / count + correction), times the gain."""
    parts = ["mean.real_part", "mean.imaginary_part"]
    b.nodes.append(helper.make_node("Split", [made[f"{mean.sum}.real"]], parts, axis=1))
    squares = [b.add("Mul", [part, part], f"{part}.squared") for part in parts]
    size = b.add("Sqrt", [b.add("Add", squares, "mean.squared")], "mean.size")
    average = b.add("Div", [size, made[f"{mean.count}.real"]], "mean")
    relative = b.add("Relu", [b.add("Add", [average, made[f"{mean.correction}.real"]], "corrected")], "relative")
    b.add("Mul", [relative, factor], output)


def _renamed(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto.FromString(value.SerializeToString())
    copy.name = name
    return copy


def _body(step: onnx.ModelProto) -> onnx.GraphProto:
    """Return the step as the body of a Scan: states first, then the window; states, then the answer."""
    window, *states = step.graph.input
    answer, *after = step.graph.output
    return helper.make_graph(
        list(step.graph.node), "step", [*states, window], [*after, answer], list(step.graph.initializer)
    )
