"""From a cleaned graph to integers alone: accumulators stay, every function between an accumulator and integers becomes thresholds.

Each tensor of the cleaned graph is, in graph order, one of three: integers that the new graph computes; a function of
such integers, element by element, that becomes one MultiThreshold if it ends in integers and somebody asks for them; or
unresolved, for a reason. What nobody asks for is never made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer.tensor import QTensor
from microstage_streamline.integerise.rescaled_sum import Joined, aligned
from microstage_streamline.graph.normalise import Normaliser, is_quantised
from microstage_streamline.graph.graph import Node, saying_where
from microstage_streamline.integerise.monotone import Found, Function, entry_range, narrowed, thresholds
from microstage.integer.ranges import Range, node_range, of_type

__all__ = ["Cannot", "Integeriser", "Integers", "Made", "Unresolved"]

POINTWISE = ("BatchNormalization", "Relu", "Clip", "Quant", "BipolarQuant", "QuantizeLinear", "DequantizeLinear", "MultiThreshold", "Cast",
             "Identity", "Sigmoid", "Tanh", "Add", "Sub", "Mul", "Div", "Rescale")
_EXACT_IN_FLOAT32 = 2**24
_EITHER_SIDE = ("Add", "Mul", "Sub", "Div")  # their constant may come first


@dataclass(frozen=True)
class Integers:
    """Tensor `name` of the new graph; `example` as in the cleaned graph; `shared` if more than one node reads it."""

    name: str
    example: Any
    range: Range
    shared: bool


@dataclass(frozen=True)
class Unresolved:
    """Why `tensor` is no integers; `root` is the tensor where that began, itself or one before it."""

    tensor: str
    layer: str
    reason: str
    root: str


class Cannot(ModelError):
    """This node has no integers; the network's other nodes may."""


@dataclass
class Made:
    """The new graph. `inputs`: the integers that enter, by tensor of the cleaned graph. `outputs`: what the network answers, or
    what its unresolved rest would go on from; a Function where real operators behind the last integers are a straight line.
    `negated`: tensors whose integers are the negative of the reference's in some channels."""

    nodes: list[Node]
    constants: dict[str, np.ndarray]
    inputs: dict[str, Integers]
    outputs: dict[str, Integers | Function]
    unresolved: list[Unresolved]
    negated: set[str]
    ranges: dict[str, Range]


class Integeriser:
    """`run()` does all; the handlers in `exact.py` call the rest."""

    def __init__(self, normal: Normaliser) -> None:
        self.graph, self.values, self.unknown = normal.graph, normal.values, normal.unknown
        self.constants = normal.graph.constants
        self.made = Made([], {}, {}, {}, [], set(), {})
        self.state: dict[str, Integers | Function | Joined | Unresolved] = {}
        self.reads: dict[str, int] = dict.fromkeys(self.graph.outputs, 1)
        for node in self.graph.nodes:
            for name in set(node.inputs):
                self.reads[name] = self.reads.get(name, 0) + 1

    def run(self) -> Made:
        """The part of the network that can be computed in integers from its inputs on, and why not the rest."""
        for name, entry in self.graph.inputs.items():
            if entry.datatype:
                self.state[name] = self.enter(name, self.values[name], of_type(list(entry.shape), *entry.datatype))
            else:
                self.state[name] = Function(None, [], self.values[name])
        for node in self.graph.nodes:
            self.state.update(self._follow(node))
        for name in self.graph.outputs:
            self._answer(name)
        for node in self.graph.nodes:
            if isinstance(self.state[node.output], Unresolved):
                self._stop_before(node)
        self._drop_unused()
        return self.made

    def enter(self, name: str, example: Any, range_: Range) -> Integers:
        """Integers that the new graph is given."""
        self.made.inputs[name] = found = Integers(name, example, range_, self.reads.get(name, 0) > 1)
        self.made.ranges[name] = range_
        return found

    def _follow(self, node: Node) -> Iterable[tuple[str, Any]]:
        """The states of a node's outputs."""
        before = next((s for name in node.inputs if isinstance(s := self.state.get(name), Unresolved)), None)
        if before:
            return [(name, Unresolved(name, node.layer, f"follows {before.root}", before.root)) for name in node.outputs]
        try:
            with saying_where(node):
                if node.output not in self.values:
                    raise Cannot(self.unknown[node.output])
                return list(zip(node.outputs, self._states(node)))
        except ModelError as error:
            reason = str(error).removeprefix(f"{node}: ")
            found = [Unresolved(name, node.layer, reason, node.output) for name in node.outputs]
            self.made.unresolved.append(found[0])
            return [(one.tensor, one) for one in found]

    def _states(self, node: Node) -> list[Any]:
        from microstage_streamline.integerise.operators import EXACT

        computed = [name for name in node.inputs if name and name not in self.constants]
        if node.op in POINTWISE and len(computed) == 1 and (node.inputs[0] == computed[0] or node.op in _EITHER_SIDE):
            return [self._continued(node, computed[0])]
        if node.op not in EXACT:
            raise Cannot(f"{node.op} has no form in integers")
        return EXACT[node.op](self, node)

    def _continued(self, node: Node, source: str) -> Integers | Function:
        """The function of an accumulator that `node` goes on with, or begins; the same integers where it changes their scale alone."""
        before, example = self.state[source], self.values[node.output]
        if isinstance(before, Function) and (self.reads[source] == 1 or not is_quantised(before.example)):
            return Function(before.start, [*before.nodes, node], example)
        if isinstance(before, Joined) and (self.reads[source] == 1 or not is_quantised(before.example)):
            return replace(before, nodes=[*before.nodes, node], example=example)
        start = self.integers(source)
        if node.op in ("Rescale", "Identity") or node.op == "DequantizeLinear" and np.array_equal(example.ints, start.example):
            return replace(start, example=example, shared=start.shared or self.reads.get(node.output, 0) > 1)
        return Function(start, [node], example)

    def integers(self, name: str) -> Integers:
        """The integers of a tensor, made now if they are not yet; `Cannot` for one that is real."""
        state = self.state[name]
        if isinstance(state, Integers):
            return state
        if isinstance(state, Unresolved):
            raise Cannot(f"{name} is no integers")
        if isinstance(state, Joined) and not is_quantised(state.example):
            raise Cannot(f"adds {' and '.join(state.nodes[0].inputs)}, whose scales differ, and no quantiser follows")
        if not is_quantised(state.example):
            raise Cannot(f"reads {name}, which is real: no quantiser stands before it")
        self.state[name] = found = self._aligned(name, state) if isinstance(state, Joined) else self._made(name, state)
        return found

    def _made(self, name: str, function: Function) -> Integers:
        last = function.nodes[-1]
        if function.start is None:
            return self.enter(name, function.example, entry_range(function, self.graph.inputs, self.constants))
        if len(function.nodes) == 1 and last.op in ("Add", "Sub", "DequantizeLinear"):
            return self._shifted(name, function)
        found = thresholds(function, self.constants)
        start = self._turned(function.start, found) if found.flipped.any() else function.start
        table = f"{name}.thresholds"
        self.made.constants[table] = found.table
        flags = {"out_dtype": found.datatype, "out_scale": 1.0, "out_bias": float(found.low), "data_layout": found.layout}
        return self.emit(Node("MultiThreshold", [start.name, table], [name], flags, last.layer), function.example, start)

    def _aligned(self, name: str, joined: Joined) -> Integers:
        """The sum of two tensors at different scales, behind its quantiser."""
        found, layer = aligned(joined, self.constants), joined.nodes[0].layer
        terms = []
        for side, term, factor in (("left", joined.a, found.p), ("right", joined.b, found.r)):
            stored = f"{name}.{side}.factor"
            self.made.constants[stored] = factor
            terms.append(self.emit(Node("Mul", [term.name, stored], [f"{name}.{side}"], {}, layer), None, term))
        total = self.emit(Node("Add", [term.name for term in terms], [f"{name}.sum"], {}, layer), None, *terms)
        self.made.constants[f"{name}.thresholds"] = found.table
        flags = {"out_dtype": found.datatype, "out_scale": 1.0, "out_bias": float(found.low), "data_layout": found.layout}
        return self.emit(Node("MultiThreshold", [total.name, f"{name}.thresholds"], [name], flags, joined.nodes[-1].layer), joined.example, total)

    def _shifted(self, name: str, function: Function) -> Integers:
        """An accumulator and a stored bias of its scale, or raw integers less their zero point: one integer addition."""
        node, start = function.nodes[0], function.start
        if node.op == "DequantizeLinear":
            shift = function.example.ints - getattr(start.example, "ints", start.example)  # what zero point 0 would have left
        else:
            bias = next(self.constants[n] for n in node.inputs if n in self.constants)
            shift = np.asarray(getattr(bias, "ints", bias), np.int64) * (-1 if node.op == "Sub" else 1)
            if node.op == "Sub" and node.inputs[0] in self.constants:
                raise Cannot("takes a computed tensor from a constant")
        stored = f"{name}.shift"
        self.made.constants[stored] = narrowed(shift)
        return self.emit(Node("Add", [start.name, stored], [name], {}, node.layer), function.example, start)

    def stored(self, name: str, node: Node) -> str:
        """The integers of a constant, as a constant of the new graph; `Cannot` for real ones."""
        value = self.constants.get(name)
        if value is None:
            raise Cannot(f"multiplies two computed tensors, {' and '.join(node.inputs[:2])}")
        if not is_quantised(value):
            raise Cannot(f"its weights {name} are real: no quantiser stands before them")
        self.made.constants[name] = np.asarray(getattr(value, "ints", value), np.int64)
        return name

    def emit(self, node: Node, example: Any, *sources: Integers) -> Integers:
        """Append a node of the new graph, whose output holds exactly the integers of `example`'s tensor."""
        return self.emit_all(node, [example], *sources)[0]

    def emit_all(self, node: Node, examples: list[Any], *sources: Integers) -> list[Integers]:
        """As `emit`, for a node of several outputs."""
        constants = {name: self.made.constants[name] for name in node.inputs if name in self.made.constants}
        if any(np.abs(value).max(initial=0) > _EXACT_IN_FLOAT32 for value in constants.values()):
            raise Cannot("has a constant of more than 24 bits, which FINN's float32 containers do not hold")
        ranges = node_range(node.proto(), {s.name: s.range for s in sources}, constants)
        if any(max(abs(end) for end in range_.ends) >= 2**31 for range_ in ranges.values()):
            raise Cannot("its accumulator may need more than 32 bits")
        self.made.nodes.append(node)
        self.made.ranges.update(ranges)
        return [Integers(name, example, ranges[name], self.reads.get(name, 0) > 1) for name, example in zip(node.outputs, examples)]

    def _turned(self, start: Integers, found: Found) -> Integers:
        """-a rises where a falls: the weights of falling channels are negated, or the accumulator itself where others read it too."""
        maker = next((n for n in self.made.nodes if n.output == start.name), None)
        falling = found.over(start.range.low.shape)
        if maker is not None and maker.op in ("Conv", "MatMul") and not start.shared and start.name not in self.made.negated:
            weight, sign = self.made.constants[maker.inputs[1]], np.where(found.flipped, -1, 1)
            shape = (-1,) + (1,) * (weight.ndim - 1) if maker.op == "Conv" else (1,) * (weight.ndim - 1) + (-1,)
            maker.inputs = [maker.inputs[0], f"{start.name}.weights"]
            self.made.constants[maker.inputs[1]] = weight * sign.reshape(shape)
            self.made.negated.add(start.name)
            low, high = np.where(falling, -start.range.high, start.range.low), np.where(falling, -start.range.low, start.range.high)
            self.made.ranges[start.name] = Range(low, high)
            return replace(start, range=Range(low, high))
        name = f"{start.name}.turned{len(self.made.nodes)}"
        self.made.constants[f"{name}.sign"] = np.where(falling, -1, 1)
        return self.emit(Node("Mul", [start.name, f"{name}.sign"], [name], {}, maker.layer if maker else ""), None, start)

    def _answer(self, name: str) -> None:
        """What the network answers: integers, or the integers that its last, real, operators are a straight line of."""
        state = self.state.get(name)
        try:
            if isinstance(state, Function) and state.start and not is_quantised(state.example) and state.is_straight(self.constants):
                self.made.outputs[name] = state
            elif not isinstance(state, Unresolved):
                self.made.outputs[name] = self.integers(name)
        except ModelError as error:
            self.made.unresolved.append(Unresolved(name, "", str(error), name))
            self._stop_at(name)

    def _stop_before(self, node: Node) -> None:
        for name in node.inputs:
            self._stop_at(name)

    def _stop_at(self, name: str) -> None:
        """The last integers on the way to something unresolved are an answer of the new graph."""
        state = self.state.get(name)
        if isinstance(state, Joined):
            for term in (state.a, state.b):
                self.made.outputs.setdefault(term.name, term)
        try:
            if isinstance(state, Function):
                state = self.integers(name) if is_quantised(state.example) else state.start
        except ModelError:
            state = state.start
        if isinstance(state, Integers) and state.name not in self.made.inputs:
            self.made.outputs.setdefault(state.name, state)

    def _drop_unused(self) -> None:
        needed = {found.name if isinstance(found, Integers) else found.start.name for found in self.made.outputs.values()}
        kept: list[Node] = []
        for node in reversed(self.made.nodes):
            if needed & set(node.outputs):
                kept.append(node)
                needed |= set(node.inputs)
        self.made.nodes = kept[::-1]
        self.made.constants = {name: value for name, value in self.made.constants.items() if name in needed}
        self.made.inputs = {name: found for name, found in self.made.inputs.items() if found.name in needed}


def exact_scale(value: QTensor | np.ndarray) -> np.ndarray:
    """The scale of an example; plain integers are at scale 1."""
    return np.asarray(getattr(value, "scale", 1.0))
