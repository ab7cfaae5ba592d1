"""From a cleaned graph to integers alone: accumulators stay, every function between an accumulator and integers becomes
thresholds.

Each tensor of the cleaned graph is, in graph order, one of three: integers that the new graph computes; a function of
such integers, element by element, that becomes one MultiThreshold if it ends in integers and somebody asks for them; or
unresolved, for a reason. What nobody asks for is never made.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer.lines import Line
from microstage.integer.ranges import of_type
from microstage.integer.registry import POINTWISE, Kind, Operator, named
from microstage.integer.tensor import narrowed
from microstage.interface.ranking import ranking
from microstage_streamline.graph.graph import Node, is_quantised, saying_where
from microstage_streamline.graph.straight import bends
from microstage_streamline.integerise.by_place import in_a_row
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.entries import entry_of
from microstage_streamline.integerise.exact_operators import CENTRING, exactly, is_exact
from microstage_streamline.integerise.integer_graph import (
    IN_FRONT,
    InputEncoding,
    IntegerGraph,
    Integers,
    NotInteger,
    Unresolved,
    exact_scale,
)
from microstage_streamline.integerise.monotone import (
    ChannelLines,
    Function,
    differs_by_place,
    entry_range,
    straight_line,
    thresholds,
    together,
)
from microstage_streamline.integerise.operators import HANDLERS
from microstage_streamline.integerise.rescaled_sum import RescaledSum, aligned
from microstage_streamline.integerise.tflite_sum import step_by_step
from microstage_streamline.integerise.turning import in_pieces, sum_of_pieces
from microstage_streamline.integerise.weighted_sum import weighted_sum
from microstage_streamline.normalise.input_type import CLAMPS
from microstage_streamline.normalise.normal_graph import NormalGraph

__all__ = ["Integeriser"]

_LEAST_STEP = 2.0**-45  # of the largest value on a line: less, and neighbours may be one number


class Integeriser(Emitter):
    """`run()` does all; the handlers in `operators.py` call the rest."""

    def __init__(self, normal: NormalGraph) -> None:
        super().__init__(normal)
        self.state: dict[str, Integers | Function | RescaledSum | Unresolved] = {}
        self.scaled: dict[str, Function] = {}

    def run(self) -> IntegerGraph:
        """The part of the network that can be computed in integers from its inputs on, and why not the rest."""
        for name, entry in self.graph.inputs.items():
            if entry.scale is not None:
                rounding = "SIGN" if entry.signs else "ROUND"
                self.made.entries[name] = InputEncoding(
                    np.float64(entry.scale), entry.zero_point, rounding=rounding, precision=np.dtype(entry.real).name
                )
            if entry.datatype:
                self.state[name] = self.enter(name, self.values[name], of_type(list(entry.shape), *entry.datatype))
            else:
                self.state[name] = Function(None, [], self.values[name], name)
        for node in self.graph.nodes:
            self.state.update(self._follow(node))
        for name in self.graph.outputs:
            self._answer(name)
        for node in self.graph.nodes:
            if isinstance(self.state[node.output], Unresolved):
                for name in node.inputs:
                    self._stop_at(name)
        self.made.drop_unused()
        return self.made

    def _follow(self, node: Node) -> Iterable[tuple[str, Any]]:
        """The states of a node's outputs."""
        before = next((s for name in node.inputs if isinstance(s := self.state.get(name), Unresolved)), None)
        if before:
            return [
                (name, Unresolved(name, node.layer, self._operator(node), f"follows {before.root}", before.root))
                for name in node.outputs
            ]
        try:
            with saying_where(node):
                if node.output not in self.values:
                    raise NotInteger(self.unknown[node.output])
                return list(zip(node.outputs, self._states(node)))
        except ModelError as error:
            reason = str(error).replace(f"{node}: ", "").rstrip(".")
            found = [Unresolved(name, node.layer, self._operator(node), reason, node.output) for name in node.outputs]
            self.made.unresolved.append(found[0])
            return [(one.tensor, one) for one in found]

    def _states(self, node: Node) -> list[Any]:
        computed = list(dict.fromkeys(name for name in node.inputs if name and name not in self.constants))
        entry = named(node.op)
        if self._by_place(node, computed):
            return HANDLERS[entry.kind](self, node)
        if entry.kind in POINTWISE and self._of_each(node, entry, computed):
            sources = [self._source(name, node) for name in computed]
            sources = sources if together(sources) else [self._from_start(source) for source in sources]
            if together(sources):
                return [self._continued(node, sources)]
        if entry.kind not in HANDLERS:
            raise NotInteger(f"{node.op} has no form in integers")
        return HANDLERS[entry.kind](self, node)

    def _of_each(self, node: Node, entry: Operator, computed: list[str]) -> bool:
        """Tell whether each output value is a function of the value at its place of each tensor that is computed."""
        shape = self.values[node.output].shape
        anywhere = entry.straight or entry.kind is not Kind.MONOTONE or len(computed) > 1
        return (anywhere or node.inputs[0] == computed[0]) and all(
            self.values[name].shape == shape for name in computed
        )

    def _by_place(self, node: Node, computed: list[str]) -> bool:
        """Whether a sum or product with integers differs from place to place, as no thresholds can: it is computed
        then.
        """
        stored = [self.constants[name] for name in node.inputs if name in self.constants]
        if named(node.op).kind not in (Kind.SUM, Kind.ELEMENT_PRODUCT) or len(computed) != 1 or len(stored) != 1:
            return False
        if not is_quantised(self.values[computed[0]]) or not is_quantised(self.values[node.output]):
            return False
        rank, ints = len(self.values[node.output].shape), narrowed(np.asarray(getattr(stored[0], "ints", stored[0])))
        axes = {rank - ints.ndim + axis for axis, size in enumerate(ints.shape) if size > 1}
        return axes not in (set(), {1}, {rank - 1})

    def _source(self, name: str, reader: Node) -> Function | RescaledSum:
        """The function of integers that a tensor is: of itself, where it is integers that others read too, or that
        enter.
        """
        state = self.state[name]
        if isinstance(state, Function | RescaledSum) and (
            not is_quantised(state.example) or self._goes_on(name, state, reader)
        ):
            return state
        return Function(self.integers(name), [], self.values[name], name)

    def _goes_on(self, name: str, state: Function | RescaledSum, reader: Node) -> bool:
        """Whether `reader` alone reads integers, and goes on with what made them: not where they enter, but to be
        carried on, and not with multiples, which would leave levels out.
        """
        example = self.values[reader.output]
        enters = isinstance(state, Function) and state.start is None and not _carries(reader, example)
        alone = sum(bool(other) and other not in self.constants for other in reader.inputs) == 1
        return self.reads[name] == 1 and not enters and not (reader.op == "Mul" and alone and is_quantised(example))

    def _from_start(self, source: Function | RescaledSum) -> Function | RescaledSum:
        """The same function, of the tensor that first held the integers: others hold them at other scales."""
        before = self.scaled.get(source.of) if isinstance(source, Function) else None
        return (
            source if before is None else replace(before, nodes=[*before.nodes, *source.nodes], example=source.example)
        )

    def _continued(self, node: Node, sources: list[Function | RescaledSum]) -> Integers | Function | RescaledSum:
        """The function that `node` goes on with, or begins; the same integers where it changes their scale alone."""
        example, (first, *others) = self.values[node.output], sources
        if (
            isinstance(first, Function)
            and first.start
            and not first.nodes
            and not others
            and self._keeps_integers(node)
        ):
            start, before = first.start, self._from_start(first)
            self.scaled[node.output] = replace(before, nodes=[*before.nodes, node], example=example)
            return replace(start, example=example, shared=start.shared or self.reads.get(node.output, 0) > 1)
        parts = self.reads.get(node.output, 0) > 1 and not is_quantised(
            example
        )  # each reader has thresholds of its own
        if isinstance(first, Function) and first.start and parts:
            first = replace(first, start=replace(first.start, shared=True))
        known = {id(one) for source in sources for one in source.nodes}
        nodes = [one for one in self.graph.nodes if id(one) in known] if others else first.nodes
        return replace(first, nodes=[*nodes, node], example=example)

    def _keeps_integers(self, node: Node) -> bool:
        """Whether `node` leaves integers as they are and changes their scale alone."""
        if node.op == "DequantizeLinear":
            return (
                len(node.inputs) < 3 or node.inputs[2] in self.constants and not np.any(self.constants[node.inputs[2]])
            )
        return node.op in ("Rescale", "Identity")

    def integers(self, name: str) -> Integers:
        """The integers of a tensor, made now if they are not yet; `NotInteger` for one that is real."""
        state = self.state[name]
        if isinstance(state, Integers):
            return state
        if isinstance(state, Unresolved):
            raise NotInteger(f"{name} is no integers")
        if isinstance(state, RescaledSum) and not is_quantised(state.example):
            raise NotInteger(
                f"adds {' and '.join(state.nodes[0].inputs)}, whose scales differ, and no quantiser follows"
            )
        if not is_quantised(state.example):
            raise NotInteger(f"reads {name}, which is real: no quantiser stands before it")
        self.state[name] = found = self._aligned(state) if isinstance(state, RescaledSum) else self._made(name, state)
        return found

    def in_order(self, name: str) -> tuple[Integers, Function | None, bool]:
        """Integers that stand in the order of `name`'s values, the line a x + b that was left out, and whether it is no
        line of these integers alone: where a < 0, -x is given, and where b differs, k x + r(b)
        (microstage.interface.ranking).

        Precondition of a line: one a for all values, which keeps neighbours apart.
        """
        state = self.state[name]
        if not (
            isinstance(state, Function)
            and state.start
            and not is_quantised(state.example)
            and state.is_straight(self.constants)
        ):
            return self.integers(name), None, False
        step, offset = straight_line(state, self.constants)
        if np.ptp(step):
            raise NotInteger(f"compares values of {name} that lie on lines of different slopes")
        step, largest = float(step.flat[0]), max(abs(end) for end in state.start.range.ends)
        if abs(step) <= _LEAST_STEP * (np.abs(offset).max() + abs(step) * largest):
            raise NotInteger(f"multiplies every score by {step:g}; there is no order left")
        rises = step > 0
        start = state.start if rises else self.turned(state.start, np.full([1] * state.start.range.low.ndim, True))
        return (
            (self._ranked(name, start, abs(step), offset), state, True) if np.ptp(offset) else (start, state, not rises)
        )

    def _ranked(self, name: str, start: Integers, scale: float, offset: np.ndarray) -> Integers:
        """k x + r, in the order of scale * x + offset."""
        factor, addends = ranking(scale, narrowed(offset))
        for op, stored in (("Mul", np.full([1] * start.range.low.ndim, factor)), ("Add", addends)):
            made, layer = (
                f"{name}.order.{op.lower()}",
                self.makers[start.name].layer if start.name in self.makers else "",
            )
            self.made.constants[f"{made}.constant"] = stored
            start = self.emit(Node(op, [start.name, f"{made}.constant"], [made], {}, layer), start.example, start)
        return start

    def _made(self, name: str, function: Function) -> Integers:
        if function.start is None:
            return self._entered(name, function)
        if len(function.nodes) == 1 and is_exact(function, self.values, self.constants):
            return exactly(self, name, function)
        name = self._boundary(function.nodes)
        if differs_by_place(function, self.constants):
            return in_a_row(self, name, function)
        return self.levels(name, function)

    def levels(self, name: str, function: Function) -> Integers:
        """Thresholds, a line where they are too many, or a sum of them where the function turns round."""
        if function.may_turn(self.constants):
            return in_pieces(self, name, function)
        found, start = thresholds(function, self.constants), function.start
        if isinstance(found, ChannelLines):
            return self._requantised(name, found, start, function)
        start = self.turned(start, found.over(start.range.low.ndim)) if found.flipped.any() else start
        return self.threshold(name, found, start, function)

    def _entered(self, name: str, function: Function) -> Integers:
        """Integers enter behind the input's quantiser: centred, or raw where it has a zero point, which an addition
        takes off.
        """
        last = function.nodes[-1]
        if last.op not in CENTRING or self._keeps_integers(last):
            return self._behind_its_quantiser(name, function)
        source = last.inputs[0]
        if not isinstance(self.state[source], Integers):
            raw = replace(function, nodes=function.nodes[:-1], example=self.values[source])
            self.state[source] = self._behind_its_quantiser(source, raw)
        return self._made(name, Function(self.state[source], [last], function.example, source))

    def _behind_its_quantiser(self, name: str, function: Function) -> Integers:
        """Integers of the file's own input, or, where other operators stand in front, of what their quantiser reads: it
        begins there.
        """
        range_ = entry_range(function, self.graph.inputs, self.constants)
        try:
            self.made.entries[name] = entry_of(function, self.constants, self.graph.inputs, range_)
        except NotInteger as error:
            node, given = error.node, function.source(self.constants)
            reason = f"{IN_FRONT} {given} and its first quantiser, and {error}"
            self.made.unresolved.append(Unresolved(node.output, node.layer, self._operator(node), reason, node.output))
            self.made.entries[name] = InputEncoding(exact_scale(function.example), behind=True)
        return self.enter(name, function.example, range_)

    def _aligned(self, joined: RescaledSum) -> Integers:
        """The sum of two tensors at different scales, behind its quantiser."""
        name = self._boundary(joined.nodes)
        try:
            found = aligned(joined, self.constants)
        except ModelError:
            if joined.nodes[0].op == "TfliteAdd":
                return self._made(name, step_by_step(self, name, joined))
            weighted = weighted_sum(joined, self.constants)
            if weighted is None:
                raise
            weights = weighted.weights
            total = self._weighted(name, joined, np.array(weights.p), np.array(weights.r))
            line = Line(np.array([1]), np.array([weights.addend]), weights.shift, weights.ties)
            return self._requantised(name, ChannelLines(line, weighted.low, weighted.high, 1), total, joined)
        total = self._weighted(name, joined, found.p, found.r)
        if found.steps:
            return sum_of_pieces(self, name, joined, total, found.steps, found.axis)
        return self.threshold(name, found, total, joined)

    def _weighted(self, name: str, joined: RescaledSum, p: np.ndarray, r: np.ndarray) -> Integers:
        """p a + r b."""
        terms, layer = [], joined.nodes[0].layer
        for side, term, factor in (("left", joined.a, p), ("right", joined.b, r)):
            stored = f"{name}.{side}.factor"
            self.made.constants[stored] = factor
            terms.append(self.emit(Node("Mul", [term.name, stored], [f"{name}.{side}"], {}, layer), None, term))
        return self.emit(Node("Add", [term.name for term in terms], [f"{name}.sum"], {}, layer), None, *terms)

    def threshold(self, name: str, found: Any, start: Integers, function: Function | RescaledSum) -> Integers:
        table = self._stored_table(name, found.table, function.nodes)
        flags = {
            "out_dtype": found.datatype,
            "out_scale": 1.0,
            "out_bias": float(found.low),
            "data_layout": found.layout,
        }
        node = Node("MultiThreshold", [start.name, table], [name], flags, function.nodes[-1].layer)
        made = self.emit(node, function.example, start)
        return replace(made, shared=made.shared or self.reads.get(function.nodes[-1].output, 0) > 1)

    def _stored_table(self, name: str, table: np.ndarray, nodes: list[Node]) -> str:
        """The thresholds that make `name`, under the name that the file stores them by where it has some."""
        own = nodes[0].inputs[1] if nodes[0].op == "MultiThreshold" else ""
        stored = self.origin.get(own, own)
        stored = f"{name}.thresholds" if stored in self.made.constants or not stored else stored
        self.made.constants[stored] = table
        return stored

    def _requantised(
        self, name: str, found: ChannelLines, start: Integers, function: Function | RescaledSum
    ) -> Integers:
        """One multiplication, addition and shift, of more levels than FINN-ONNX has thresholds for; of what bends, the
        sum of two.
        """
        layer = function.nodes[-1].layer
        if found.rest:
            terms = [
                self._line(f"{name}.{side}", one, start, layer, None)
                for side, one in (("below", found.rest), ("above", found))
            ]
            made = self.emit(Node("Add", [term.name for term in terms], [name], {}, layer), function.example, *terms)
        else:
            made = self._line(name, found, start, layer, function.example)
        return replace(made, shared=made.shared or self.reads.get(function.nodes[-1].output, 0) > 1)

    def _line(self, name: str, found: ChannelLines, start: Integers, layer: str, example: Any) -> Integers:
        line, flags = found.line, {"low": found.low, "high": found.high, "axis": found.axis}
        flags |= {key: value for key, value in (("ties", line.ties), ("lift", line.lift)) if value}
        constants = {"multiplier": line.multiplier, "addend": line.addend, "shift": np.array([line.shift])}
        stored = [self.keep(f"{name}.{what}", value) for what, value in constants.items()]
        return self.emit(Node("Requantize", [start.name, *stored], [name], flags, layer), example, start)

    def _boundary(self, nodes: list[Node]) -> str:
        """The tensor that first holds the integers at the end of `nodes`: behind it, scales alone change."""
        last = len(nodes) - 1
        while last > 0 and self._keeps_integers(nodes[last]) and is_quantised(self.values[nodes[last - 1].output]):
            last -= 1
        return nodes[last].output

    def _answer(self, name: str) -> None:
        """What the network answers: integers, or the integers that its last, real, operators are a straight line of."""
        state = self.state.get(name)
        try:
            if (
                isinstance(state, Function)
                and state.start
                and not is_quantised(state.example)
                and state.is_straight(self.constants)
            ):
                self.made.outputs[name] = state
            elif not isinstance(state, Unresolved):
                self.made.outputs[name] = self.integers(name)
        except ModelError as error:
            last = state.nodes[-1]
            reason = (
                str(error) if is_quantised(state.example) else "answers real numbers, and no quantiser stands behind it"
            )
            self.made.unresolved.append(Unresolved(name, last.layer, self._operator(last), reason, name))
            self._stop_at(name)

    def _operator(self, node: Node) -> str:
        """What the file calls the operator of a node, which may have been rewritten since."""
        return self.operators.get(node.layer, node.op)

    def _stop_at(self, name: str) -> None:
        """The last integers on the way to something unresolved are an answer of the new graph."""
        state = self.state.get(name)
        if isinstance(state, RescaledSum):
            for term in (state.a, state.b):
                self.made.outputs.setdefault(term.name, term)
        try:
            if isinstance(state, Function):
                state = self.integers(name) if is_quantised(state.example) else state
        except ModelError:
            state = state.start
        if isinstance(state, Function):
            state = self._last_line(state)
        if isinstance(state, Integers) and state.name not in self.made.inputs:
            self.made.outputs.setdefault(state.name, state)

    def _last_line(self, function: Function) -> Integers | None:
        """Return the integers that a function begins with; None where a straight line of them is the answer."""
        nodes = list(itertools.takewhile(lambda node: not bends(node, self.constants), function.nodes))
        if function.start is None or function.start.name in self.made.inputs or not nodes:
            return function.start
        self.made.outputs.setdefault(
            nodes[-1].output, replace(function, nodes=nodes, example=self.values[nodes[-1].output])
        )
        return None


def _carries(node: Node, example: Any) -> bool:
    """Whether a node behind the input's quantiser leaves integers as they are, or holds them in a narrower range."""
    return is_quantised(example) and node.op in (*CENTRING, "Identity", "Cast", "Rescale", *CLAMPS)
