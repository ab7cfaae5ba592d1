"""The network as a drawing: operators and what runs between them, before and after streamlining."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from microstage_report.facts.onnx_graph import OnnxGraph, OnnxNode
from microstage_report.facts.run import PublishedRun

__all__ = ["graphs"]

_MOST = 400  # nodes: what a person can still look through


def graphs(run: PublishedRun) -> list[dict[str, Any]]:
    """Return the graph that was exported, or the user's own, and the integer graphs that were made of it."""
    before = [path for path in [_exported(run)] if path is not None and path.suffix.lower() == ".onnx"]
    after = [*run.graphs.values()]
    drawn = [_drawn("before streamlining", before), _drawn("after streamlining", after)]
    return [graph for graph in drawn if graph["nodes"]]


def _exported(run: PublishedRun) -> Path | None:
    exported = run.stage("export")
    return run.network if exported is None else next(exported.path.glob("*.onnx"), None)


def _drawn(title: str, paths: Iterable[Path]) -> dict[str, Any]:
    """Return one drawing of all the files; ids are places in it."""
    nodes: list[dict[str, Any]] = []
    edges: list[list[str]] = []
    for path in paths:
        graph = OnnxGraph(path)
        groups = _folded(graph)
        place = {node: f"n{len(nodes) + number}" for number, group in enumerate(groups) for node in group}
        nodes += [_entry(graph, group, place[group[0]]) for group in groups]
        edges += _edges(graph, place)
    return {"title": title, "nodes": nodes, "edges": edges}


def _entry(graph: OnnxGraph, group: list[OnnxNode], place: str) -> dict[str, Any]:
    last = group[-1]
    names = [node.operator for node in group]
    label = names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]} ({len(names)})"
    kernel = group[0].attributes.get("kernel_shape") or group[0].attributes.get("kernel_size")
    sizes = [*kernel] if isinstance(kernel, list | tuple) else []
    entry = {"id": place, "type": names[0], "label": f"{label} {'x'.join(map(str, sizes))}".strip()}
    return entry | {"datatype": graph.datatype(last.outputs[0]), "shape": graph.shapes.get(last.outputs[0], [])}


def _edges(graph: OnnxGraph, place: dict[OnnxNode, str]) -> list[list[str]]:
    found = [
        (place[maker], place[node])
        for node in graph.nodes
        for maker in map(graph.maker, node.inputs)
        if maker is not None and place[maker] != place[node]
    ]
    return [[*pair] for pair in dict.fromkeys(found)]


def _folded(graph: OnnxGraph) -> list[list[OnnxNode]]:
    """Return the nodes in groups: each alone, or, of a large graph, those that follow one another without a branch."""
    groups: list[list[OnnxNode]] = []
    of: dict[OnnxNode, list[OnnxNode]] = {}
    large = len(graph.nodes) > _MOST
    for node in graph.nodes:
        before = _only_maker(graph, node) if large else None
        group = of[before] if before is not None and before is of[before][-1] else []
        if not group:
            groups.append(group)
        group.append(node)
        of[node] = group
    return groups


def _only_maker(graph: OnnxGraph, node: OnnxNode) -> OnnxNode | None:
    """Return the one operator that `node` reads, where nothing else reads that and `node` begins no new layer."""
    read = [name for name in node.inputs if name and not graph.is_constant(name)]
    maker = graph.maker(read[0]) if len(read) == 1 else None
    weighs = len(node.inputs) > len(read) and node.operator in {"Conv", "Gemm", "MatMul"}
    return maker if maker and not weighs and len(graph.readers(read[0])) == 1 else None
