"""Cut a network at its LSTM layers.

There is what comes before them, one step of all of them, and what reads their last outputs. An output of the network
that does not hang on them is made before them, and may be read behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import onnx
from onnx import helper

from microstage.errors import ModelError
from microstage.integer import Interpreter, QTensor
from microstage.interface.lstm_node import OPERATOR
from microstage.interface.recurrence import Recurrence
from microstage.models.definition import ModelDeclaration
from microstage_qcdq.graph.build import (
    PartBuilder,
    constant,
    constants,
    find_constant,
    int8_value,
    make_model,
    reading,
    subgraph,
)
from microstage_qcdq.graph.ranges import element_type, quantised_range
from microstage_qcdq.split.entries import IntegerInput
from microstage_qcdq.split.lstm_step import Curves, LstmLayer, State
from microstage_qcdq.split.part import PartInput, answering_part, answers_to_zeros, part_input

__all__ = ["Split", "split"]

FILES = {"encoder": "encoder_qcdq", "cell": "step_qcdq", "head": "head_qcdq"}
# Operators between two layers that do to one step what they do to a whole sequence; constants have no axis of time.
_STEPWISE = (
    "QuantizeLinear",
    "Clip",
    "DequantizeLinear",
    "MatMul",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Relu",
    "Identity",
    "Cast",
)


@dataclass(frozen=True)
class Split:
    """A network that is cut: `parts` by name, in order, with their roles (`sequence`; None: one part, called once).

    `ranges` are those of the parts' borders; `curves` are what the tables of the step stand for.
    """

    parts: dict[str, onnx.ModelProto]
    sequence: Recurrence | None
    ranges: dict[str, tuple[int, int]]
    curves: Curves


@dataclass(frozen=True)
class _Source:
    """A sequence of integers `name` [B, T, C]; the LSTM reads scale * integer, the graph's `real`."""

    name: str
    real: str
    scale: float
    ends: tuple[int, int]

    @property
    def step(self) -> str:
        return f"{self.name}_t"

    @property
    def kind(self) -> int:
        return element_type(*self.ends)


def split(graph: onnx.GraphProto, entries: list[IntegerInput], declared: ModelDeclaration) -> Split:
    """Return encoder (unless the sequences are the network's own inputs), step and head.

    `ModelError` says what does not fit in between.
    """
    layers = [LstmLayer(graph, node, declared.names) for node in graph.node if node.op_type == OPERATOR]
    taken, names = [part_input(entry) for entry in entries], {**FILES, **declared.files}
    sources = {layer.label: source for layer in layers for source in _source(graph, layer, layers, entries)}
    sequences = list(dict.fromkeys(sources.values()))
    made = [source for source in sequences if source.name not in {entry.name for entry in entries}]
    features = [int8_value(source.name, ["B", "T", "C"], source.kind) for source in made]
    early = _early(graph, layers)
    parts = {}
    if features or early:
        parts[names["encoder"]] = answering_part(graph, names["encoder"], early, taken, features)
    shapes = _shapes(parts.get(names["encoder"]), entries)
    length = _length({shapes[source.name][1] for source in sequences}, declared)
    step, curves = _step(graph, names["cell"], layers, sources, shapes)
    places = (-1, 0) if length == 1 or declared.carried else (-1,)
    last = {tensor: layer.hidden for layer in layers for tensor in _last(graph, layer, layers, places)}
    if not last:
        raise ModelError("Nothing reads the last output of the LSTM.")
    states = [
        PartInput(tensor, int8_value(state.name, ["B", state.width], state.kind), state.scale)
        for tensor, state in last.items()
    ]
    ends = {entry.name: entry.ends for entry in entries}
    handed = {name: ends[_state(declared, name)] for name in early}
    given = [_given(parts[names["encoder"]], name, reach) for name, reach in handed.items()]
    late = [output.name for output in graph.output if output.name not in early]
    parts |= {names["cell"]: step, names["head"]: answering_part(graph, names["head"], late, [*states, *given, *taken])}
    own = [state for layer in layers for state in (layer.hidden, layer.cell)]
    sequence = Recurrence(
        length,
        names["cell"],
        steps={source.step: source.name for source in sequences},
        states={state.name: state.after for state in own},
        encoder=names["encoder"] if names["encoder"] in parts else None,
        head=names["head"],
        last={state.name: state.name for state in last.values()},
        carried=dict(declared.carried),
    )
    return Split(parts, sequence, {**ends, **_borders(sequences, own), **handed}, curves)


def _borders(sequences: Iterable[_Source], states: Iterable[State]) -> dict[str, tuple[int, int]]:
    """Return the ranges of what the step takes and gives, and of the sequences that it is a step of."""
    stepped = {name: source.ends for source in sequences for name in (source.name, source.step)}
    return stepped | {name: state.ends for state in states for name in (state.name, state.after)}


def _early(graph: onnx.GraphProto, layers: list[LstmLayer]) -> list[str]:
    """Return the outputs of the network that no LSTM layer is needed for."""
    cells = {tensor for layer in layers for tensor in layer.node.output}
    outputs = [output.name for output in graph.output]
    return [name for name in outputs if not any(cells & set(node.output) for node in subgraph(graph, name, ())[0])]


def _length(lengths: set[int], declared: ModelDeclaration) -> int:
    """Return steps of one answer: as many as the sequences have, or as are declared where the graph is one of them."""
    if len(lengths) != 1:
        raise ModelError(
            f"The LSTM reads sequences of {' and '.join(map(str, sorted(lengths)))} steps; expected one length."
        )
    length = lengths.pop()
    if declared.step is None:
        return length
    if length != 1:
        raise ModelError(
            f"The LSTM reads {length} steps at once; a network whose encoder and head carry states is one step."
        )
    return declared.step.length


def _state(declared: ModelDeclaration, output: str) -> str:
    """Return the state that an output of the encoder is carried into."""
    for old, new in declared.carried.items():
        if new == output:
            return old
    raise ModelError(f"{output} hangs on no LSTM, and model_def.json does not say which input carries it on.")


def _given(encoder: onnx.ModelProto, name: str, ends: tuple[int, int]) -> PartInput:
    """Return what the head takes of the encoder: integers, at the scale that the encoder gives them at."""
    answer = answers_to_zeros(encoder)[name]
    if not isinstance(answer, QTensor) or answer.scale.size != 1:
        raise ModelError(f"{name} is no multiple of one scale; expected sums of integers at one power of two.")
    value = int8_value(name, ["B", *answer.shape[1:]], element_type(*ends))
    return PartInput(name, value, float(answer.scale))


def _source(
    graph: onnx.GraphProto, layer: LstmLayer, layers: list[LstmLayer], entries: list[IntegerInput]
) -> Iterator[_Source]:
    """Yield the sequence that `layer` reads; none if it reads what another layer gives."""
    if _between(graph, layer, layers)[1]:
        return
    maker = next((node for node in graph.node if layer.node.input[0] in node.output), None)
    if maker is None or maker.op_type != "DequantizeLinear":
        raise ModelError(f"The LSTM {layer.label} reads {layer.node.input[0]}; expected a quantiser before it.")
    name = maker.input[0]
    ends = next((entry.ends for entry in entries if entry.name == name), None) or quantised_range(graph, name)
    yield _Source(name, maker.output[0], float(constant(graph, maker.input[1])), ends)


def _between(
    graph: onnx.GraphProto, layer: LstmLayer, layers: list[LstmLayer]
) -> tuple[list[onnx.NodeProto], list[str]]:
    """Return (nodes, sequences of other layers) from those layers to `layer`.

    `ModelError` for anything that is not the same for each step.
    """
    given, target = {other.sequence for other in layers if other is not layer}, layer.node.input[0]
    nodes, sources = ([], [target]) if target in given else subgraph(graph, target, given)
    if not given & set(sources):
        return [], []
    if foreign := [source for source in sources if source not in given]:
        raise ModelError(f"The LSTM {layer.label} reads {foreign[0]} beside the output of another; expected either.")
    known, over_time = constants(graph), set(sources)
    for node in nodes:
        if not over_time & set(node.input):  # of constants alone
            continue
        over_time |= set(node.output)
        deep = [
            name
            for name in node.input[1:]
            if name in known and known[name].ndim > (2 if node.op_type == "MatMul" else 1)
        ]
        if node.op_type not in _STEPWISE or deep or over_time & set(node.input[1:]):
            raise ModelError(
                f"{node.op_type} -> {node.output[0]} stands between two LSTM layers;"
                " expected what treats each step alike: a quantiser, a product, a ReLU."
            )
    return nodes, sources


def _last(graph: onnx.GraphProto, layer: LstmLayer, layers: list[LstmLayer], places: tuple[int, ...]) -> list[str]:
    """Return the tensors that hold the last output of `layer`, at one of `places` in time.

    Nothing else may be read of it but by another layer.
    """
    within = {node.output[0] for other in layers for node in [other.node, *_between(graph, other, layers)[0]]}
    found = []
    for reader in graph.node:
        if reader.output[0] in within or not set(reader.input) & set(layer.node.output):
            continue
        index = find_constant(graph, reader.input[1]) if reader.op_type == "Gather" else None
        axis = next((a.i for a in reader.attribute if a.name == "axis"), 0)
        if index is None or int(index) not in places or axis != 1 or reader.input[0] != layer.sequence:
            raise ModelError(
                f"{reader.op_type} reads the LSTM {layer.label};"
                " expected its last time step, sequence[:, -1], to be all that is read."
            )
        found.append(reader.output[0])
    return found


def _shapes(encoder: onnx.ModelProto | None, entries: list[IntegerInput]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every sequence, found by running what makes it."""
    shapes = {entry.name: entry.shape for entry in entries}
    if encoder is not None:
        zeros = {entry.name: entry.zeros() for entry in entries}
        shapes |= {name: value.shape for name, value in Interpreter(encoder).run(zeros).items()}
    return shapes


def _step(
    graph, name: str, layers: list[LstmLayer], sources: dict[str, _Source], shapes
) -> tuple[onnx.ModelProto, Curves]:
    """Return one step of all `layers`, in their order.

    One element of each sequence and every state in, every state out.
    """
    b = PartBuilder()
    curves: Curves = {}
    sequences = list(dict.fromkeys(sources.values()))
    known = {source.real: _read(b, source.step, source.kind, source.scale) for source in sequences}
    for layer in layers:
        made = {node.output[0] for node in b.nodes}
        for node in _between(graph, layer, layers)[0]:
            if node.output[0] not in made:
                b.nodes.append(reading(node, known))
                b.initializers |= {name: value for name, value in constants(graph).items() if name in node.input}
        x = known.get(layer.node.input[0], layer.node.input[0])
        h, c = (_read(b, state.name, state.kind, state.scale) for state in (layer.hidden, layer.cell))
        curves |= layer.write(b, x, h, c)
        if any(layer.sequence in _between(graph, other, layers)[1] for other in layers):
            known[layer.sequence] = _read(b, layer.hidden.after, layer.hidden.kind, layer.hidden.scale)
    states: list[State] = [state for layer in layers for state in (layer.hidden, layer.cell)]
    inputs = [int8_value(source.step, ["B", *shapes[source.name][2:]], source.kind) for source in sequences]
    inputs += [int8_value(state.name, ["B", state.width], state.kind) for state in states]
    outputs = [int8_value(state.after, ["B", state.width], state.kind) for state in states]
    used = {name for node in b.nodes for name in node.input} | {o.name for o in outputs}
    return make_model(
        name, [node for node in b.nodes if node.output[0] in used], b.initializers, inputs, outputs
    ), curves


def _read(b: PartBuilder, name: str, kind: int, scale: float) -> str:
    return b.dequantise(name, scale, helper.tensor_dtype_to_np_dtype(kind).type, f"{name}.real")
