"""From a cleaned graph to integers alone: accumulators stay, every function between an accumulator and integers becomes thresholds.

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
from microstage.integer.registry import Kind, named
from microstage.integer.tensor import narrowed
from microstage.ranking import ranking
from microstage_streamline.graph.given import CLAMPS
from microstage_streamline.graph.graph import Node, saying_where
from microstage_streamline.graph.normalise import Normaliser, is_quantised
from microstage_streamline.graph.straight import bends
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.entries import entry_of
from microstage_streamline.integerise.made import Cannot, Entered, Integers, Made, Unresolved, exact_scale
from microstage_streamline.integerise.monotone import Function, Lined, entry_range, straight_line, thresholds
from microstage_streamline.integerise.rescaled_sum import Joined, aligned
from microstage_streamline.integerise.weighted_sum import weighted_sum

__all__ = ["Integeriser"]

_POINTWISE = (Kind.MONOTONE, Kind.SUM, Kind.ELEMENT_PRODUCT)
_CENTRING = ("DequantizeLinear", "LessZeroPoint")  # they take a zero point off raw integers
_LEAST_STEP = 2.0**-45  # of the largest value on a line: less, and neighbours may be one number


class Integeriser(Emitter):
    """`run()` does all; the handlers in `operators.py` call the rest."""

    def __init__(self, normal: Normaliser) -> None:
        super().__init__(normal)
        self.state: dict[str, Integers | Function | Joined | Unresolved] = {}

    def run(self) -> Made:
        """The part of the network that can be computed in integers from its inputs on, and why not the rest."""
        for name, entry in self.graph.inputs.items():
            if entry.scale is not None:
                rounding = "SIGN" if entry.signs else "ROUND"
                self.made.entries[name] = Entered(np.float64(entry.scale), entry.zero_point, rounding=rounding, precision=np.dtype(entry.real).name)
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
                    raise Cannot(self.unknown[node.output])
                return list(zip(node.outputs, self._states(node)))
        except ModelError as error:
            reason = str(error).replace(f"{node}: ", "").rstrip(".")
            found = [Unresolved(name, node.layer, self._operator(node), reason, node.output) for name in node.outputs]
            self.made.unresolved.append(found[0])
            return [(one.tensor, one) for one in found]

    def _states(self, node: Node) -> list[Any]:
        from microstage_streamline.integerise.operators import HANDLERS

        computed, entry = [name for name in node.inputs if name and name not in self.constants], named(node.op)
        if entry.kind in _POINTWISE and len(computed) == 1 and (node.inputs[0] == computed[0] or entry.straight):
            return [self._continued(node, computed[0])]
        if entry.kind not in HANDLERS:
            raise Cannot(f"{node.op} has no form in integers")
        return HANDLERS[entry.kind](self, node)

    def _continued(self, node: Node, source: str) -> Integers | Function | Joined:
        """The function of an accumulator that `node` goes on with, or begins; the same integers where it changes their scale alone."""
        before, example = self.state[source], self.values[node.output]
        if isinstance(before, Function) and before.start is None and is_quantised(before.example) and not _carries(node, example):
            before = self.integers(source)
        if not isinstance(before, Integers) and not is_quantised(before.example) or self._belongs_to(source, node):
            if isinstance(before, Function):
                return Function(before.start, [*before.nodes, node], example)
            if isinstance(before, Joined):
                return replace(before, nodes=[*before.nodes, node], example=example)
        start = self.integers(source)
        if self._keeps_integers(node):
            return replace(start, example=example, shared=start.shared or self.reads.get(node.output, 0) > 1)
        return Function(start, [node], example)

    def _belongs_to(self, source: str, node: Node) -> bool:
        """Whether `node` alone reads integers, and makes of them what thresholds can: multiples would leave levels out."""
        multiplied = node.op == "Mul" and is_quantised(self.values[node.output])
        return self.reads[source] == 1 and not multiplied

    def _keeps_integers(self, node: Node) -> bool:
        """Whether `node` leaves integers as they are and changes their scale alone."""
        if node.op == "DequantizeLinear":
            return len(node.inputs) < 3 or not np.any(self.constants[node.inputs[2]])
        return node.op in ("Rescale", "Identity")

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
        self.state[name] = found = self._aligned(state) if isinstance(state, Joined) else self._made(name, state)
        return found

    def in_order(self, name: str) -> tuple[Integers, Function | None, bool]:
        """Integers that stand in the order of `name`'s values, the line a x + b that was left out, and whether it is no line of these
        integers alone: where a < 0, -x is given, and where b differs, k x + r(b) (microstage.ranking).

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
            raise Cannot(f"compares values of {name} that lie on lines of different slopes")
        step, largest = float(step.flat[0]), max(abs(end) for end in state.start.range.ends)
        if abs(step) <= _LEAST_STEP * (np.abs(offset).max() + abs(step) * largest):
            raise Cannot(f"multiplies every score by {step:g}; there is no order left")
        rises = step > 0
        start = state.start if rises else self.turned(state.start, np.full([1] * state.start.range.low.ndim, True))
        return (self._ranked(name, start, abs(step), offset), state, True) if np.ptp(offset) else (start, state, not rises)

    def _ranked(self, name: str, start: Integers, scale: float, offset: np.ndarray) -> Integers:
        """k x + r, in the order of scale * x + offset."""
        factor, addends = ranking(scale, narrowed(offset))
        for op, stored in (("Mul", np.full([1] * start.range.low.ndim, factor)), ("Add", addends)):
            made, layer = f"{name}.order.{op.lower()}", self.makers[start.name].layer if start.name in self.makers else ""
            self.made.constants[f"{made}.constant"] = stored
            start = self.emit(Node(op, [start.name, f"{made}.constant"], [made], {}, layer), start.example, start)
        return start

    def _made(self, name: str, function: Function) -> Integers:
        if function.start is None:
            return self._entered(name, function)
        if len(function.nodes) == 1 and self._shifts(function):
            return self._shifted(name, function)
        if len(function.nodes) == 1 and function.nodes[0].op == "Mul":
            return self._multiplied(name, function)
        found, start = thresholds(function, self.constants), function.start
        if isinstance(found, Lined):
            return self._requantised(self._boundary(function.nodes), found, start, function)
        start = self.turned(start, found.over(start.range.low.ndim)) if found.flipped.any() else start
        return self._threshold(self._boundary(function.nodes), found, start, function)

    def _entered(self, name: str, function: Function) -> Integers:
        """Integers enter behind the input's quantiser: centred, or raw where it has a zero point, which an addition takes off."""
        last = function.nodes[-1]
        if last.op not in _CENTRING or self._keeps_integers(last):
            return self._behind_its_quantiser(name, function)
        source = last.inputs[0]
        if not isinstance(self.state[source], Integers):
            raw = replace(function, nodes=function.nodes[:-1], example=self.values[source])
            self.state[source] = self._behind_its_quantiser(source, raw)
        return self._made(name, Function(self.state[source], [last], function.example))

    def _behind_its_quantiser(self, name: str, function: Function) -> Integers:
        """Integers of the file's own input, or, where other operators stand in front, of what their quantiser reads: it begins there."""
        range_ = entry_range(function, self.graph.inputs, self.constants)
        try:
            self.made.entries[name] = entry_of(function, self.constants, self.graph.inputs, range_)
        except Cannot as error:
            node, given = error.node, function.source(self.constants)
            reason = f"stands between the input {given} and its first quantiser, and {error}"
            self.made.unresolved.append(Unresolved(node.output, node.layer, self._operator(node), reason, node.output))
            self.made.entries[name] = Entered(exact_scale(function.example), behind=True)
        return self.enter(name, function.example, range_)

    def _aligned(self, joined: Joined) -> Integers:
        """The sum of two tensors at different scales, behind its quantiser."""
        name = self._boundary(joined.nodes)
        try:
            found = aligned(joined, self.constants)
        except ModelError:
            weighted = weighted_sum(joined, self.constants)
            if weighted is None:
                raise
            weights = weighted.weights
            total = self._weighted(name, joined, np.array(weights.p), np.array(weights.r))
            line = Line(np.array([1]), np.array([weights.addend]), weights.shift, weights.ties)
            return self._requantised(name, Lined(line, weighted.low, weighted.high, 1), total, joined)
        return self._threshold(name, found, self._weighted(name, joined, found.p, found.r), joined)

    def _weighted(self, name: str, joined: Joined, p: np.ndarray, r: np.ndarray) -> Integers:
        """p a + r b."""
        terms, layer = [], joined.nodes[0].layer
        for side, term, factor in (("left", joined.a, p), ("right", joined.b, r)):
            stored = f"{name}.{side}.factor"
            self.made.constants[stored] = factor
            terms.append(self.emit(Node("Mul", [term.name, stored], [f"{name}.{side}"], {}, layer), None, term))
        return self.emit(Node("Add", [term.name for term in terms], [f"{name}.sum"], {}, layer), None, *terms)

    def _threshold(self, name: str, found: Any, start: Integers, function: Function | Joined) -> Integers:
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

    def _requantised(self, name: str, found: Lined, start: Integers, function: Function | Joined) -> Integers:
        """One multiplication, addition and shift, of more levels than FINN-ONNX has thresholds for."""
        line, flags = found.line, {"low": found.low, "high": found.high, "axis": found.axis}
        flags |= {key: value for key, value in (("ties", line.ties), ("lift", line.lift)) if value}
        constants = {"multiplier": line.multiplier, "addend": line.addend, "shift": np.array([line.shift])}
        stored = [self.keep(f"{name}.{what}", value) for what, value in constants.items()]
        node = Node("Requantize", [start.name, *stored], [name], flags, function.nodes[-1].layer)
        made = self.emit(node, function.example, start)
        return replace(made, shared=made.shared or self.reads.get(function.nodes[-1].output, 0) > 1)

    def _boundary(self, nodes: list[Node]) -> str:
        """The tensor that first holds the integers at the end of `nodes`: behind it, scales alone change."""
        last = len(nodes) - 1
        while last > 0 and self._keeps_integers(nodes[last]) and is_quantised(self.values[nodes[last - 1].output]):
            last -= 1
        return nodes[last].output

    def _shifts(self, function: Function) -> bool:
        """Whether it adds the same to whatever integers it is given."""
        node = function.nodes[0]
        whole = node.op == "LessZeroPoint" and np.all(np.asarray(self.constants[node.inputs[2]]) % 1 == 0)
        return node.op in ("Add", "Sub", "DequantizeLinear") or whole

    def _shifted(self, name: str, function: Function) -> Integers:
        """An accumulator and a stored bias of its scale, or raw integers less their zero point: one integer addition."""
        node, start, stored = function.nodes[0], function.start, f"{name}.shift"
        if node.op in _CENTRING:
            shift = function.example.ints - getattr(
                start.example, "ints", start.example
            )  # what zero point 0 would have left
            self.made.constants[stored] = narrowed(shift)
        else:
            if node.op == "Sub" and node.inputs[0] in self.constants:
                raise Cannot("takes a computed tensor from a constant")
            bias = next(n for n in node.inputs if n in self.constants)
            value = self.constants[bias]
            stored = self.keep(
                bias, narrowed(np.asarray(getattr(value, "ints", value), np.int64) * (-1 if node.op == "Sub" else 1))
            )
        return self.emit(Node("Add", [start.name, stored], [name], {}, node.layer), function.example, start)

    def _multiplied(self, name: str, function: Function) -> Integers:
        """Integers and stored whole numbers: one integer product."""
        node, start = function.nodes[0], function.start
        factor = next(n for n in node.inputs if n in self.constants)
        value = self.constants[factor]
        stored = self.keep(factor, narrowed(np.asarray(getattr(value, "ints", value), np.int64)))
        return self.emit(Node("Mul", [start.name, stored], [name], {}, node.layer), function.example, start)

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
            reason = str(error) if is_quantised(state.example) else "answers real numbers, and no quantiser stands behind it"
            self.made.unresolved.append(Unresolved(name, last.layer, self._operator(last), reason, name))
            self._stop_at(name)

    def _operator(self, node: Node) -> str:
        """What the file calls the operator of a node, which may have been rewritten since."""
        return self.operators.get(node.layer, node.op)

    def _stop_at(self, name: str) -> None:
        """The last integers on the way to something unresolved are an answer of the new graph."""
        state = self.state.get(name)
        if isinstance(state, Joined):
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
        """The integers that a function begins with; an answer by what is a straight line of them still, if anything is."""
        nodes = list(itertools.takewhile(lambda node: not bends(node, self.constants), function.nodes))
        if function.start is None or function.start.name in self.made.inputs or not nodes:
            return function.start
        self.made.outputs.setdefault(nodes[-1].output, replace(function, nodes=nodes, example=self.values[nodes[-1].output]))
        return None


def _carries(node: Node, example: Any) -> bool:
    """Whether a node behind the input's quantiser leaves integers as they are, or holds them in a narrower range."""
    return is_quantised(example) and node.op in (*_CENTRING, "Identity", "Cast", "Rescale", *CLAMPS)
