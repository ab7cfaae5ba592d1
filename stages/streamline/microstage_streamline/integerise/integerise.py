"""Make integers of a cleaned graph: accumulators stay, every function between an accumulator and integers becomes
thresholds.

Each tensor of the cleaned graph is, in graph order, one of three: integers that the new graph computes; a function of
such integers, element by element, that becomes one MultiThreshold if it ends in integers and somebody asks for them; or
unresolved, for a reason. What nobody asks for is never made.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from microstage.errors import ModelError
from microstage.integer.ranges import of_type
from microstage_streamline.graph.graph import GraphInput, Node, is_quantised, saying_where
from microstage_streamline.graph.straight import bends
from microstage_streamline.integerise.functions import Function, InputFunction
from microstage_streamline.integerise.integer_graph import InputEncoding, IntegerGraph
from microstage_streamline.integerise.integers import Integers, NotInteger, Unresolved
from microstage_streamline.integerise.node_states import states_of
from microstage_streamline.integerise.rescaled_sum import RescaledSum
from microstage_streamline.integerise.resolver import Resolver, State
from microstage_streamline.normalise.normal_graph import NormalGraph

__all__ = ["integerised"]


def integerised(normal: NormalGraph) -> IntegerGraph:
    """Return the part of the network that can be computed in integers from its inputs on, and why not the rest."""
    return _Integeriser(normal).run()


class _Integeriser:
    """Follow the graph from its inputs to its outputs; `resolver` knows what each tensor is."""

    def __init__(self, normal: NormalGraph) -> None:
        self.graph, self.values = normal.graph, normal.values
        self.resolver = Resolver(normal)
        self.state, self.integer_graph = self.resolver.state, self.resolver.integer_graph

    def run(self) -> IntegerGraph:
        for name, entry in self.graph.inputs.items():
            self._begin(name, entry)
        for node in self.graph.nodes:
            self.state.update(self._follow(node))
        for name in self.graph.outputs:
            self._answer(name)
        for node in self.graph.nodes:
            if isinstance(self.state[node.output], Unresolved):
                for name in node.inputs:
                    self._stop_at(name)
        self.integer_graph.drop_unused()
        return self.integer_graph

    def _begin(self, name: str, entry: GraphInput) -> None:
        """Take an input as integers, or as real numbers that a quantiser may follow."""
        if entry.scale is not None:
            rounding, kind = "SIGN" if entry.signs else "ROUND", np.dtype(entry.real).name
            scale = np.float64(entry.scale)
            self.integer_graph.entries[name] = InputEncoding(scale, entry.zero_point, rounding=rounding, precision=kind)
        if entry.datatype:
            range_ = of_type(list(entry.shape), *entry.datatype)
            self.state[name] = self.resolver.enter(name, self.values[name], range_)
        else:
            self.state[name] = InputFunction(name, [], self.values[name])

    def _follow(self, node: Node) -> Iterable[tuple[str, State]]:
        """Return the states of a node's outputs by name."""
        before = next((s for name in node.inputs if isinstance(s := self.state.get(name), Unresolved)), None)
        if before is not None:
            return self._unresolved(node, f"follows {before.root}", before.root)
        try:
            with saying_where(node):
                if node.output not in self.values:
                    raise NotInteger(self.resolver.unknown[node.output])
                return list(zip(node.outputs, states_of(self.resolver, node)))
        except ModelError as error:
            found = self._unresolved(node, str(error).replace(f"{node}: ", "").rstrip("."), node.output)
            self.integer_graph.unresolved.append(found[0][1])
            return found

    def _unresolved(self, node: Node, reason: str, root: str) -> list[tuple[str, Unresolved]]:
        operator = self.resolver.operator_name(node)
        return [(name, Unresolved(name, node.layer, operator, reason, root)) for name in node.outputs]

    def _answer(self, name: str) -> None:
        """Answer an output with integers, or with those that its last, real, operators are a straight line of."""
        state = self.state[name]
        if isinstance(state, Integers) or self.resolver.is_line(state):
            self.integer_graph.outputs[name] = state
        elif not isinstance(state, Unresolved):
            try:
                self.integer_graph.outputs[name] = self.resolver.integers(name)
            except ModelError as error:
                self._leave_out(name, state, error)

    def _leave_out(self, name: str, state: Function | InputFunction | RescaledSum, error: ModelError) -> None:
        """Say why an output has no integers, and answer with the last ones before it."""
        real = "answers real numbers, and no quantiser stands behind it"
        reason, last = str(error) if is_quantised(state.example) else real, state.nodes[-1]
        operator = self.resolver.operator_name(last)
        self.integer_graph.unresolved.append(Unresolved(name, last.layer, operator, reason, name))
        self._stop_at(name)

    def _stop_at(self, name: str) -> None:
        """Make the last integers on the way to something unresolved an answer of the new graph."""
        state = self.state.get(name)
        if isinstance(state, RescaledSum):
            for term in state.terms:
                self.integer_graph.outputs.setdefault(term.name, term)
            return
        if isinstance(state, Function | InputFunction):
            state = self._last_integers(name, state)
        if isinstance(state, Integers) and state.name not in self.integer_graph.inputs:
            self.integer_graph.outputs.setdefault(state.name, state)

    def _last_integers(self, name: str, function: Function | InputFunction) -> Integers | None:
        """Return the integers that tensor `name` is, or is a function of; None where a line of them is answered."""
        start = function.start if isinstance(function, Function) else None
        if is_quantised(function.example):
            try:
                return self.resolver.integers(name)
            except ModelError:
                return start
        return self._last_line(function) if isinstance(function, Function) else None

    def _last_line(self, function: Function) -> Integers | None:
        """Return the integers that a function begins with; None where a straight line of them is the answer."""
        nodes = list(itertools.takewhile(lambda node: not bends(node, self.graph.constants), function.nodes))
        if function.start.name in self.integer_graph.inputs or not nodes:
            return function.start
        last = nodes[-1].output
        self.integer_graph.outputs.setdefault(last, replace(function, nodes=nodes, example=self.values[last]))
        return None
