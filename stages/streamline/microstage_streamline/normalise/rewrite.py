"""Define what a rewrite is: whether it applies to a node, apart from what it makes of it.

To write one: derive from `Rewrite`, name the `operators`, state the algebra and its precondition in the docstring, and
add the class to the list in `rewrites.py`. `matches` must be false of whatever `rewrite` returns, so that the graph
comes to rest.
"""

from __future__ import annotations

from typing import TypeVar

from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import NormalGraph

__all__ = ["Rewrite", "matched"]

T = TypeVar("T")


def matched(value: T | None) -> T:
    """Return what `matches` has seen to be there; a mistake of a rewrite ends here."""
    if value is None:
        raise AssertionError("a rewrite was called on a node that it does not match")
    return value


class Rewrite:
    """One way to write a node of one of the `operators` as other nodes.

    `ModelError` from either method says why the node has no meaning here; `MalformedModel` ends the reading of the
    file.
    """

    operators: tuple[str, ...] = ()

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        """Tell whether `rewrite` applies."""
        raise NotImplementedError

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        """Return what stands for `node` from now on; nothing where its outputs are constants or other tensors'
        names.
        """
        raise NotImplementedError
