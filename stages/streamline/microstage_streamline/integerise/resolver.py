"""Know what each tensor of the cleaned graph is, and make integers of it when somebody asks for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeGuard

import numpy as np

from microstage.integer.tensor import narrowed
from microstage.interface.ranking import ranking
from microstage_streamline.graph.graph import Node, is_quantised
from microstage_streamline.integerise.emit_exact import CENTRING
from microstage_streamline.integerise.emit_function import emit_function
from microstage_streamline.integerise.emit_sum import emit_sum
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.entries import NoEncoding, entry_of
from microstage_streamline.integerise.functions import Function, InputFunction, entry_range, straight_line
from microstage_streamline.integerise.integer_graph import InputEncoding
from microstage_streamline.integerise.integers import IN_FRONT, Integers, NotInteger, Unresolved, exact_scale
from microstage_streamline.integerise.rescaled_sum import RescaledSum
from microstage_streamline.normalise.normal_graph import NormalGraph

__all__ = ["Resolver", "State"]

_LEAST_STEP = 2.0**-45  # of the largest value on a line: less, and neighbours may be one number

State = Integers | Function | InputFunction | RescaledSum | Unresolved


class Resolver(Emitter):
    """`state` is what each tensor is; `scaled` the function that integers at a new scale are of those before."""

    def __init__(self, normal: NormalGraph) -> None:
        super().__init__(normal)
        self.state: dict[str, State] = {}
        self.scaled: dict[str, Function] = {}

    def integers(self, name: str) -> Integers:
        """Return the integers of a tensor, made now if they are not yet; `NotInteger` for one that is real."""
        state = self.state[name]
        if isinstance(state, Integers):
            return state
        if isinstance(state, Unresolved):
            raise NotInteger(f"{name} is no integers")
        if not is_quantised(state.example):
            raise NotInteger(_real(name, state))
        if isinstance(state, RescaledSum):
            found = emit_sum(self, state)
        elif isinstance(state, InputFunction):
            found = self._input_integers(name, state)
        else:
            found = emit_function(self, name, state)
        self.state[name] = found
        return found

    def is_line(self, state: Any) -> TypeGuard[Function]:
        """Tell whether a state is real numbers that are value * a + b of integers."""
        return isinstance(state, Function) and not is_quantised(state.example) and state.is_straight(self.constants)

    def in_order(self, name: str) -> tuple[Integers, Function | None, bool]:
        """Return (integers in the order of `name`'s values, the line a x + b that is left out, whether it is no line of
        these integers alone): where a < 0, -x is given, and where b differs, k x + r(b)
        (microstage.interface.ranking).

        Precondition of a line: one a for all values, which keeps neighbours apart.
        """
        state = self.state[name]
        if not self.is_line(state):
            return self.integers(name), None, False
        steps, offset = straight_line(state, self.constants)
        if np.ptp(steps):
            raise NotInteger(f"compares values of {name} that lie on lines of different slopes")
        step, largest = float(steps.flat[0]), max(abs(end) for end in state.start.range.ends)
        if abs(step) <= _LEAST_STEP * (np.abs(offset).max() + abs(step) * largest):
            raise NotInteger(f"multiplies every score by {step:g}; there is no order left")
        rises = step > 0
        start = state.start if rises else self.turned(state.start, np.full([1] * state.start.range.low.ndim, True))
        if np.ptp(offset):
            return self._ranked(name, start, abs(step), offset), state, True
        return start, state, not rises

    def _ranked(self, name: str, start: Integers, scale: float, offset: np.ndarray) -> Integers:
        """Append k x + r, which has the order of scale * x + offset."""
        factor, addends = ranking(scale, narrowed(offset))
        for op, value in (("Mul", np.full([1] * start.range.low.ndim, factor)), ("Add", addends)):
            output = f"{name}.order.{op.lower()}"
            layer = self.makers[start.name].layer if start.name in self.makers else ""
            stored = self.store(f"{output}.constant", value)
            start = self.emit(Node(op, [start.name, stored], [output], {}, layer), start.example, start)
        return start

    def operator_name(self, node: Node) -> str:
        """Return what the file calls the operator of a node, which may have been rewritten since."""
        return self.operators.get(node.layer, node.op)

    def _input_integers(self, name: str, function: InputFunction) -> Integers:
        """Let integers enter behind the input's quantiser: centred, or raw and less the zero point that it has."""
        last = function.nodes[-1]
        if last.op not in CENTRING or self.keeps_integers(last):
            return self._behind_quantiser(name, function)
        source = last.inputs[0]
        raw = self.state[source]
        if not isinstance(raw, Integers):
            before = replace(function, nodes=function.nodes[:-1], example=self.values[source])
            raw = self.state[source] = self._behind_quantiser(source, before)
        return emit_function(self, name, Function(raw, [last], function.example, source))

    def _behind_quantiser(self, name: str, function: InputFunction) -> Integers:
        """Let integers of the file's own input enter.

        Where other operators stand in front they are of what their quantiser reads: the network begins there.
        """
        range_ = entry_range(function, self.graph.inputs, self.constants)
        try:
            encoding = entry_of(function, self.constants, self.graph.inputs, range_)
        except NoEncoding as error:
            node, given = error.node, function.source(self.constants)
            reason = f"{IN_FRONT} {given} and its first quantiser, and {error}"
            unresolved = Unresolved(node.output, node.layer, self.operator_name(node), reason, node.output)
            self.integer_graph.unresolved.append(unresolved)
            encoding = InputEncoding(exact_scale(function.example), behind=True)
        self.integer_graph.entries[name] = encoding
        return self.enter(name, function.example, range_)


def _real(name: str, state: Function | InputFunction | RescaledSum) -> str:
    if isinstance(state, RescaledSum):
        return f"adds {' and '.join(state.nodes[0].inputs)}, whose scales differ, and no quantiser follows"
    return f"reads {name}, which is real: no quantiser stands before it"
