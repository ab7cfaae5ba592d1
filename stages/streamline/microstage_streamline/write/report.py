"""Write `report.md` and `unresolved.json`: what became integers, and what did not and why, by tensor and layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from microstage.stage import Job
from microstage.untrusted.printable import in_markdown
from microstage_streamline.convert import Converted
from microstage_streamline.integerise.integer_graph import IntegerGraph
from microstage_streamline.integerise.integers import Integers
from microstage_streamline.write.model import IntegerModel

__all__ = ["markdown", "missing", "say_beyond", "unresolved"]


def _beyond(part: Converted) -> str:
    """Return the sentence that says why there is no FINN-ONNX, or less than the whole."""
    said = "ends before what it cannot hold" if part.front else "is left out"
    return (
        f"FINN-ONNX {said}: {part.beyond}. The integers are written in int64, proven by the reference alone"
        " (qonnx computes in float32), and C goes on from them."
    )


def say_beyond(job: Job, parts: Iterable[Converted]) -> None:
    """Log why there is no FINN-ONNX of some parts."""
    for part in parts:
        if part.beyond:
            job.log(f"streamline: {_beyond(part)}")


def unresolved(part: Converted) -> dict[str, Any]:
    """Return {"unresolved": [{"tensor", "layer", "operator", "reason", "root"}], "answers": what the integer graph
    answers in place of the file's outputs, "straight_lines": outputs whose last real operators are metadata}.
    """
    made, lines = (
        part.integer_graph,
        [name for name, found in part.written.interface["outputs"].items() if "offset" in found],
    )
    roots = [asdict(found) for found in made.unresolved]
    return {"unresolved": roots, "answers": list(made.outputs), "straight_lines": lines}


def missing(made: IntegerGraph) -> list[dict[str, str]]:
    """List the places where a network was cut short, for interface.json: "tensor", "layer", "operator", "reason"."""
    facts = ("tensor", "layer", "operator", "reason")
    return [{fact: getattr(found, fact) for fact in facts} for found in made.unresolved]


def markdown(
    part: Converted, compared: dict[str, Any], estimates: dict[str, Any], more: Mapping[str, Sequence[str]]
) -> str:
    """Return the page for the person who brought the file; `more` {title: lines} stands first."""
    sections = {
        **more,
        "Inputs and outputs": _border(part.written),
        "What could not be made integer": _not_made(part.integer_graph),
        "Layers": _layers(part),
        "FINN's estimates": _estimated(estimates),
        "Beside others": [
            *_gate(compared["layers"]),
            "",
            *_beside({what: found for what, found in compared.items() if what != "layers"}),
        ],
    }
    lines = _summary(part)
    for title, content in sections.items():
        lines += ["", f"## {title}", "", *content]
    return "\n".join(lines) + "\n"


def _summary(part: Converted) -> list[str]:
    count = len(part.integer_graph.unresolved)
    partly = f"{count} place{'s' * (count > 1)} could not be made integer; the graph ends in front of what is listed."
    lines = ["# What became of the network", "", partly if count else "Every output is computed in integers.", ""]
    lines += [in_markdown(_beyond(part)), ""] if part.beyond else []
    operators = Counter(node.op_type for node in part.model.graph.node)
    return lines + _table(["operator", "count"], sorted(operators.items()))


def _border(written: IntegerModel) -> list[str]:
    rows = [_row(name, said) for side in ("inputs", "outputs") for name, said in written.interface[side].items()]
    return [
        *_table(["tensor", "datatype", "range", "shape", "scale", "zero point", "offset"], rows),
        "",
        "value = scale * (integer - zero point) + offset. Where scale or offset differ from class to"
        " class, apply them before "
        "comparing classes.",
    ]


def _not_made(made: IntegerGraph) -> list[str]:
    places = [
        [in_markdown(f"{found.layer} ({found.operator})"), _code(found.tensor), in_markdown(found.reason)]
        for found in made.unresolved
    ]
    lines = _table(["layer", "tensor", "why"], places) if places else ["Nothing."]
    for name, found in made.outputs.items():
        if not isinstance(found, Integers):
            named = in_markdown(", ".join(f"{node.layer or node.op} ({node.op})" for node in found.nodes))
            lines += [
                "",
                f"{_code(name)}: {named} stay real; as a straight line of the integers they are metadata"
                " (scale, offset above).",
            ]
    return lines


def _layers(part: Converted) -> list[str]:
    rows = [_layer(part.integer_graph, part.written, node) for node in part.integer_graph.nodes]
    kept = [f"{_code(tensor)} stays channels first: {in_markdown(why)}." for tensor, why in part.laid.kept.items()]
    return [*_table(["layer", "operator", "tensor", "datatype", "range"], rows), "", *kept]


def _gate(layers: dict[str, Any]) -> list[str]:
    """Return what was compared layer by layer, and what was not."""
    by = " and ".join(layers["by"]) or "nothing"
    lines = [
        f"{layers['layers']} layers of the untouched file, each on the integers before it, beside {by}:"
        f" {layers['values']} values, {layers['ties']} explained ties."
    ]
    lines += [f"- NOT COMPARED: {in_markdown(f'{name}: {reason}')}" for name, reason in layers["uncompared"].items()]
    return lines + [
        f"- cut short: {inputs} of {offered} inputs at {in_markdown(name)}"
        for name, (inputs, offered) in layers["cut_short"].items()
    ]


def _beside(compared: dict[str, Any]) -> list[str]:
    rows = []
    for what, found in compared.items():
        for name, figures in found.items():
            if isinstance(figures, dict):
                by, differing = in_markdown(found.get("by", what)), figures["levels_differing"]
                rows.append([by, in_markdown(name), figures["values"], differing, figures["largest"]])
    notes = [in_markdown(f"{what}: {found['by']}") for what, found in compared.items() if set(found) == {"by"}]
    head = ["run on by itself", "output", "values", "half a level off or more", "largest difference"]
    return [*(_table(head, rows) if rows else []), *notes] or ["-"]


def _estimated(estimates: dict[str, Any]) -> list[str]:
    if not estimates["parts"]:
        return [in_markdown(f"None: {estimates['not_estimated']}.")]
    (part,) = estimates["parts"].values()
    slowest = max(part["cycles"], key=part["cycles"].get, default="-")
    rows = [["cycles of the slowest layer", f"{part['slowest_layer_cycles']} ({in_markdown(slowest)})"]]
    rows += [["throughput, frames a second", part["frames_per_second"]]]
    rows += [["a bound of the latency, cycles: each layer waits for the one before", part["latency_bound_cycles"]]]
    least = "at least " if part["not_estimated"] else ""
    rows += [[kind, f"{least}{count}"] for kind, count in part["resources"].items()]
    missing = {
        "layers not estimated": [f"{count} {kind}" for kind, count in part["not_estimated"].items()],
        "no layer of FINN's for": part["unmapped"],
    }
    rows += [[what, in_markdown(", ".join(names))] for what, names in missing.items() if names]
    title = in_markdown(
        f"{estimates['fpga_part']} at {estimates['clk_ns']:g} ns, folded to {estimates['target_cycles']} cycles a frame"
    )
    return _table([title, ""], rows)


def _code(name: str) -> str:
    return f"`{in_markdown(name)}`"


def _row(name: str, said: dict[str, Any]) -> list[Any]:
    return [
        _code(name),
        said["datatype"],
        "{}..{}".format(*said["range"]),
        said["shape"],
        _short(said["scale"]),
        said["zero_point"],
        _short(said.get("offset", 0.0)),
    ]


def _short(value: float | list[float]) -> str:
    return f"{value:.9g}" if isinstance(value, float) else f"{min(value):.4g} to {max(value):.4g}, {len(value)} of them"


def _layer(made: IntegerGraph, written: IntegerModel, node) -> list[Any]:
    kind, ends = (
        written.model.get_tensor_datatype(written.renamed.get(node.output, node.output)),
        made.ranges[node.output].ends,
    )
    levels = f" of {made.constants[node.inputs[1]].shape[1]} thresholds" if node.op == "MultiThreshold" else ""
    return [in_markdown(node.layer), node.op + levels, _code(node.output), kind.name, "{}..{}".format(*ends)]


def _table(head: list[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = ("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines]
