"""Define what a rewrite is: whether it applies to a node, apart from what it makes of it.

To write one: derive from `Rewrite`, name the `operators`, state the algebra and its precondition in the docstring, and
add the class to the list in `rewrites.py`. `matches` must be false of whatever `rewrite` returns, so that the graph
comes to rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import NormalGraph

__all__ = ["Refusal", "Rewrite", "matched"]

T = TypeVar("T")


def matched(value: T | None) -> T:
    """Return what `matches` has seen to be there; a mistake of a rewrite ends here."""
    if value is None:
        raise AssertionError("a rewrite was called on a node that it does not match")
    return value


class Rewrite(ABC):
    """One way to write a node of one of the `operators` as other nodes.

    `ModelError` from either method says why the node has no meaning here; `MalformedModel` ends the reading of the
    file.
    """

    operators: tuple[str, ...] = ()

    @abstractmethod
    def matches(self, normal: NormalGraph, node: Node) -> bool:
        """Tell whether `rewrite` applies."""

    @abstractmethod
    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        """Return what stands for `node` from now on; nothing where its outputs are constants or other tensors'
        names.
        """


class Refusal(Rewrite):
    """A rule that nodes of the `operators` have to keep: nothing is rewritten."""

    @abstractmethod
    def check(self, normal: NormalGraph, node: Node) -> None:
        """Raise `ModelError` or `MalformedModel` where `node` breaks the rule."""

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        self.check(normal, node)
        return False

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        return [node]
