"""Where two values meet: brevitas gave them one scale."""

from __future__ import annotations

import numpy as np
from torch import fx

from microstage.errors import VerificationError
from microstage.quantisation.integers.operations import Add, Concatenate
from microstage.quantisation.lowering.lowered import Lowered

__all__ = ["add", "concatenate"]


def add(lowered: Lowered, node: fx.Node) -> None:
    """Append the sum of two; both may be the same value."""
    given = [*node.args, *(node.kwargs[name] for name in ("input", "other") if name in node.kwargs)]
    first, second = (lowered.names[source] for source in given)
    _assert_one_scale(lowered, node, first, second)
    operation = Add(node.name, (first, second), node.name, (lowered.zero(first), lowered.zero(second)))
    lowered.append(node, operation, lowered.scales[first])


def concatenate(lowered: Lowered, node: fx.Node) -> None:
    """Append several values side by side."""
    sources = tuple(lowered.names[source] for source in (node.args[0] if node.args else node.kwargs["tensors"]))
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    _assert_one_scale(lowered, node, *sources)
    if len({lowered.quantised(source, node) for source in sources}) > 1:
        raise VerificationError(f"{node.name}: what is put side by side has levels of its own.")
    operation = Concatenate(node.name, sources, node.name, axis)
    lowered.append(node, operation, lowered.scales[sources[0]], lowered.levels[sources[0]])


def _assert_one_scale(lowered: Lowered, node: fx.Node, *sources: str) -> None:
    if any(not np.array_equal(lowered.scales[source], lowered.scales[sources[0]]) for source in sources):
        raise VerificationError(f"{node.name}: what meets there has scales of its own.")
