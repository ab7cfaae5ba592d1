"""From a graph that was read to integers alone: normalise, commute, integerise, write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from microstage.errors import ModelError
from microstage_streamline.finn.write import Written, write
from microstage_streamline.graph.commute import hoist
from microstage_streamline.graph.graph import Graph
from microstage_streamline.graph.normalise import Normaliser
from microstage_streamline.graph.read import read_graph
from microstage_streamline.integerise.integerise import Integeriser
from microstage_streamline.integerise.made import Made

__all__ = ["Converted", "convert", "convert_file"]


@dataclass(frozen=True)
class Converted:
    """The cleaned graph, which is the integer reference; the integers made of it; the model of these."""

    normal: Normaliser
    made: Made
    written: Written

    def whole(self) -> Converted:
        """This, or `ModelError` that names the first place that is not integer."""
        for found in self.made.unresolved:
            raise ModelError(f"{found.layer or found.tensor} -> {found.tensor} could not be made integer: {found.reason}")
        return self


def convert(graph: Graph, name: str) -> Converted:
    """The integers of `graph`, as far as they go; `ModelError` where nothing becomes integer."""
    normal = Normaliser(graph)
    normal.clean()
    hoist(normal)
    made = Integeriser(normal).run()
    if not made.nodes:
        why = made.unresolved[0].reason if made.unresolved else "it has no layer"
        raise ModelError(f"Nothing of the network can be computed in integers: {why}")
    return Converted(normal, made, write(made, normal, name))


def convert_file(path: Path) -> Converted:
    """The network in `path`; `ModelError` also for a file that is no network."""
    return convert(read_graph(path), "network")
