"""What a simulation prints: a table of the layers of each graph, and one of all graphs at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from microstage.process.text_table import table
from microstage_streamline.simulate.layers import HardwareLayer

__all__ = ["of_all", "of_graph"]


def of_graph(name: str, layers: Sequence[HardwareLayer]) -> str:
    """Return the table of one graph; what could not run stands below it, by reason."""
    rows = [
        [layer.name, layer.road, f"{layer.integers:,}", f"{layer.differ:,}", f"{layer.seconds:.1f}"]
        for layer in layers
        if not layer.reason
    ]
    reasons = dict.fromkeys(layer.reason for layer in layers if layer.reason)
    not_run = [f"not run: {', '.join(x.name for x in layers if x.reason == why)}: {why}" for why in reasons]
    return "\n".join(["", *table([name, "road", "integers", "differ", "seconds"], rows), *not_run])


def of_all(graphs: Mapping[str, Sequence[HardwareLayer]]) -> str:
    """Return the table of all graphs, and what was compared in one line."""
    rows = [[name, *_counts(layers)] for name, layers in graphs.items()]
    layers = [layer for of_one in graphs.values() for layer in of_one]
    ran = [layer for layer in layers if not layer.reason]
    compared, differ = sum(layer.integers for layer in ran), sum(layer.differ for layer in ran)
    head = ["graph", "C++", "RTL", "not run", "computed", "moved", "differ", "seconds"]
    closing = f"{compared:,} integers compared, {differ:,} differ; {len(layers) - len(ran)} layers not run"
    return "\n".join(["", *table(head, rows), "", closing])


def _counts(layers: Sequence[HardwareLayer]) -> list[str]:
    """Return how many layers of each road ran and how many did not, their integers, differences and seconds.

    Integers that layers compute, which are accumulators and activations, are told from those that they pass on.
    """
    ran = [layer for layer in layers if not layer.reason]
    computed = sum(layer.integers for layer in ran if layer.computes)
    moved = sum(layer.integers for layer in ran) - computed
    differ, roads = sum(layer.differ for layer in ran), [layer.road for layer in ran]
    numbers = (roads.count("C++"), roads.count("RTL"), len(layers) - len(ran), computed, moved, differ)
    return [*(f"{number:,}" for number in numbers), f"{sum(layer.seconds for layer in ran):.0f}"]
