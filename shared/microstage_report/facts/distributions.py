"""How the integers of weights and activations lie, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from microstage.errors import MicrostageError
from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage_report.facts.layers import Layer, layers_of
from microstage_report.facts.onnx_graph import OnnxGraph
from microstage_report.facts.run import PublishedRun

__all__ = ["distributions"]

_BINS = 32
_LAYERS = 60
_SAMPLES = 4
_MOST_WORK = 200_000_000  # multiply-accumulates a sample: seconds in NumPy


def distributions(run: PublishedRun) -> list[dict[str, Any]]:
    """Return a histogram of each layer's weights, and of what it gives on the first golden vectors."""
    found: list[dict[str, Any]] = []
    for path in run.graphs.values():
        graph = OnnxGraph(path)
        shown = [*layers_of(graph)]
        given = _given(run, graph, shown)
        for layer in shown:
            found += _of(layer, given)
    return found[: 2 * _LAYERS]


def _of(layer: Layer, given: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    weights = layer.graph.values(layer.weights) if layer.weights else None
    if weights is not None:
        yield _histogram(layer.name, "weights", weights)
    if layer.name in given:
        yield _histogram(layer.name, "activations", given[layer.name])


def _histogram(layer: str, what: str, values: np.ndarray) -> dict[str, Any]:
    """Return counts per bin; few integers have a bin each, in the middle of which they lie."""
    low, high = int(values.min()), int(values.max())
    step = max(1, -(-(high - low + 1) // _BINS))
    edges = np.arange(low, high + step + 1, step) - 0.5
    counts, _ = np.histogram(values, edges)
    return {"layer": layer, "what": what, "edges": edges.tolist(), "counts": counts.tolist()}


def _given(run: PublishedRun, graph: OnnxGraph, shown: list[Layer]) -> dict[str, np.ndarray]:
    """Return what layers give on samples: as the golden vectors say, else as the integer reference computes it."""
    samples = run.samples[:_SAMPLES]
    held = {layer.name: run.vectors[layer.name][samples] for layer in shown if layer.name in run.vectors}
    inputs = {name: run.vectors[name][samples] for name in graph.inputs if name in run.vectors}
    work = sum(layer.macs for layer in shown)
    if len(run.graphs) > 1 or len(inputs) < len(graph.inputs) or work > _MOST_WORK:
        return held
    try:
        computed = Interpreter(graph.model).run(inputs, [layer.name for layer in shown])
    except (MicrostageError, ValueError):  # weights beside the file, or an order of axes that the vectors do not have
        return held
    return held | {name: integers(value) for name, value in computed.items()}
