"""Follow one node of the cleaned graph: what its outputs are, from what its inputs are.

Nothing is computed for an operator that works element by element: it goes on with the function that its input is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from microstage.integer.registry import POINTWISE, Kind, Operator, named
from microstage.integer.tensor import narrowed
from microstage_streamline.graph.graph import Node, is_quantised
from microstage_streamline.integerise.emit_exact import CENTRING
from microstage_streamline.integerise.functions import Function, InputFunction
from microstage_streamline.integerise.integers import Integers, NotInteger
from microstage_streamline.integerise.operators import HANDLERS
from microstage_streamline.integerise.rescaled_sum import RescaledSum
from microstage_streamline.integerise.resolver import Resolver, State
from microstage_streamline.normalise.input_type import CLAMPS

__all__ = ["states_of"]

Source = Function | InputFunction | RescaledSum


def states_of(resolver: Resolver, node: Node) -> Sequence[State]:
    """Return the states of a node's outputs; `NotInteger` where it has no form in integers."""
    computed = list(dict.fromkeys(name for name in node.inputs if name and name not in resolver.constants))
    entry = named(node.op)
    pointwise = entry.kind in POINTWISE and _is_pointwise(resolver, node, entry, computed)
    if pointwise and not _differs_by_place(resolver, node, computed):
        sources = [_source(resolver, name, node) for name in computed]
        if not _have_one_origin(sources):
            sources = [_from_start(resolver, source) for source in sources]
        if _have_one_origin(sources):
            return [_continued(resolver, node, sources)]
    if entry.kind not in HANDLERS:
        raise NotInteger(f"{node.op} has no form in integers")
    return HANDLERS[entry.kind](resolver, node)


def _is_pointwise(resolver: Resolver, node: Node, entry: Operator, computed: list[str]) -> bool:
    """Tell whether each output value is a function of the value at its place of each tensor that is computed."""
    shape = resolver.values[node.output].shape
    anywhere = entry.straight or entry.kind is not Kind.MONOTONE or len(computed) > 1
    alike = all(resolver.values[name].shape == shape for name in computed)
    return (anywhere or node.inputs[0] == computed[0]) and alike


def _differs_by_place(resolver: Resolver, node: Node, computed: list[str]) -> bool:
    """Tell whether a sum or product with integers differs from place to place: it is computed then.

    Thresholds could tell the places of one axis of channels apart alone.
    """
    stored = [resolver.constants[name] for name in node.inputs if name in resolver.constants]
    if named(node.op).kind not in (Kind.SUM, Kind.ELEMENT_PRODUCT) or len(computed) != 1 or len(stored) != 1:
        return False
    if not is_quantised(resolver.values[computed[0]]) or not is_quantised(resolver.values[node.output]):
        return False
    rank = len(resolver.values[node.output].shape)
    ints = narrowed(np.asarray(getattr(stored[0], "ints", stored[0])))
    axes = {rank - ints.ndim + axis for axis, size in enumerate(ints.shape) if size > 1}
    return axes not in (set(), {1}, {rank - 1})


def _source(resolver: Resolver, name: str, reader: Node) -> Source:
    """Return the function of integers that a tensor is: of itself, where it is integers that others read too, or that
    enter.
    """
    state = resolver.state[name]
    if isinstance(state, Source) and (not is_quantised(state.example) or _goes_on(resolver, name, state, reader)):
        return state
    return Function(resolver.integers(name), [], resolver.values[name], name)


def _goes_on(resolver: Resolver, name: str, state: Source, reader: Node) -> bool:
    """Tell whether `reader` alone reads integers, and goes on with what made them.

    Not where they enter, but to be carried on, and not with multiples, which would leave levels out.
    """
    example = resolver.values[reader.output]
    enters = isinstance(state, InputFunction) and not _carries(reader, example)
    alone = sum(bool(other) and other not in resolver.constants for other in reader.inputs) == 1
    multiplies = reader.op == "Mul" and alone and is_quantised(example)
    return resolver.reads[name] == 1 and not enters and not multiplies


def _carries(node: Node, example: Any) -> bool:
    """Tell whether a node behind the input's quantiser keeps integers, or holds them in a narrower range."""
    return is_quantised(example) and node.op in (*CENTRING, "Identity", "Cast", "Rescale", *CLAMPS)


def _have_one_origin(sources: Sequence[Source]) -> bool:
    """Tell whether functions are of one tensor, so that what is computed of all of them is a function of that."""
    return len({(type(source), source.origin) for source in sources}) == 1


def _from_start(resolver: Resolver, source: Source) -> Source:
    return _of_first_scale(resolver, source) if isinstance(source, Function) else source


def _of_first_scale(resolver: Resolver, source: Function) -> Function:
    """Return the same function, of the tensor that first held the integers: others hold them at other scales."""
    before = resolver.scaled.get(source.of)
    return source if before is None else replace(before, nodes=[*before.nodes, *source.nodes], example=source.example)


def _continued(resolver: Resolver, node: Node, sources: Sequence[Source]) -> Integers | Source:
    """Return the function that `node` goes on with, or begins; the same integers where it changes their scale alone."""
    example, (first, *others) = resolver.values[node.output], sources
    several = resolver.is_shared(node.output)
    if isinstance(first, Function):
        if not first.nodes and not others and resolver.keeps_integers(node):
            start, before = first.start, _of_first_scale(resolver, first)
            resolver.scaled[node.output] = replace(before, nodes=[*before.nodes, node], example=example)
            return replace(start, example=example, shared=start.shared or several)
        if several and not is_quantised(example):  # each reader has thresholds of its own
            first = replace(first, start=replace(first.start, shared=True))
    known = {id(one) for source in sources for one in source.nodes}
    nodes = [one for one in resolver.graph.nodes if id(one) in known] if others else first.nodes
    return replace(first, nodes=[*nodes, node], example=example)
