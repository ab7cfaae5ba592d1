"""Order the nodes of a file so that each can be run behind those that it reads."""

from __future__ import annotations

from collections.abc import Iterable

from microstage.errors import ModelError
from microstage_streamline.graph.graph import Node

__all__ = ["in_order"]


def in_order(nodes: Iterable[Node], known: set[str]) -> list[Node]:
    """Order nodes each behind those that it reads; keep the file's order where it is one.

    `ModelError` for a cycle or a missing tensor.
    """
    waiting, known = list(nodes), {"", *known}
    made = _made_once(waiting, known)
    lacking = [{name for name in node.inputs if name not in known} for node in waiting]
    readers: dict[str, list[int]] = {}
    for place, names in enumerate(lacking):
        if absent := names - made:
            raise ModelError(f"{waiting[place]} reads {sorted(absent)[0]}, which is neither computed nor stored.")
        for name in names:
            readers.setdefault(name, []).append(place)
    ordered = _followed([len(names) for names in lacking], waiting, readers)
    if len(ordered) < len(waiting):
        stuck = next(node for place, node in enumerate(waiting) if place not in ordered)
        raise ModelError(f"{stuck} reads, through others, what it computes itself: the graph has a cycle.")
    return [waiting[place] for place in ordered]


def _made_once(nodes: list[Node], known: set[str]) -> set[str]:
    """Return the tensors that nodes compute; `ModelError` for one that is computed twice."""
    made: set[str] = set()
    for node in nodes:
        for name in node.outputs:
            if name and (name in made or name in known):
                raise ModelError(f"{node}: {name} is computed twice.")
            made.add(name)
    return made


def _followed(missing: list[int], nodes: list[Node], readers: dict[str, list[int]]) -> list[int]:
    """Return the places of nodes that can be run, in such an order; `missing`: of how many inputs each waits."""
    ordered = [place for place, count in enumerate(missing) if count == 0]
    for place in ordered:  # grows while it is followed
        for name in nodes[place].outputs:
            for reader in readers.get(name, ()):
                missing[reader] -= 1
                if missing[reader] == 0:
                    ordered.append(reader)
    return ordered
