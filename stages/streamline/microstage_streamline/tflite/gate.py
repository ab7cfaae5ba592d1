"""Compare every tensor of a .tflite file with TensorFlow Lite Micro's reference kernels, to the bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from microstage.errors import VerificationError
from microstage.integer.sequence import integers
from microstage.stage import Job
from microstage_streamline.convert import Converted
from microstage_streamline.prove.executors import CannotRun
from microstage_streamline.prove.gate import say_layers, say_uncompared
from microstage_streamline.prove.samples import Samples
from microstage_streamline.tflite.builder import FIRST, REAL
from microstage_streamline.tflite.execute import BY, executed
from microstage_streamline.tflite.file import TfliteFile, TfliteOperator
from microstage_streamline.tflite.read import TfliteGraph

__all__ = ["compare_with_kernels"]

_LEAST = 8
_AT_ONCE = 1 << 26  # bytes of tensors
_WORK = 3e9  # multiply-accumulates that the reference kernels are given


def compare_with_kernels(
    job: Job, file: TfliteFile, read: TfliteGraph, part: Converted, samples: Samples
) -> dict[str, Any]:
    """Compare, and say what was compared as the gate of an ONNX file does.

    `VerificationError` names the first operator that differs.
    """
    computed = ((place, _form(read, part, place)) for place in file.makers)
    forms = {place: form for place, form in computed if form is not None}
    wanted, counts = sorted({name for _, _, name in forms.values()}), dict.fromkeys(forms, 0)
    most, done, refused = min(samples.count, max(_LEAST, int(_WORK / _work(file)))), 0, ""
    size = sum(int(np.prod(tensor.shape)) * 8 for tensor in file.tensors if tensor.data is None)
    for some in samples.of(range(most)).parts(_LEAST, max(_LEAST, _AT_ONCE // size)):
        try:
            found = executed(file, [_given(file, place, read, some) for place in file.inputs])
        except CannotRun as error:
            refused = str(error)
            break
        values = part.normal.graph.run(some.fed, wanted)
        for operator in file.operators:
            for place in filter(forms.__contains__, operator.outputs):
                counts[place] += _compared(file, operator, place, found[place], values, forms[place])
        done += some.count
    return _told(job, file, forms, counts, done, samples.count, refused)


def _form(read: TfliteGraph, part: Converted, place: int) -> tuple[str, str, str] | None:
    """Return (raw or values, layout, name in the cleaned graph) of a tensor that is computed in it."""
    normal = part.normal
    computed = {name for node in normal.graph.nodes for name in node.outputs if name in normal.values}
    for (kind, layout), name in read.forms.get(place, {}).items():
        name = normal.renamed.get(name, name)
        if name in computed:
            return kind, layout, name
    return None


def _given(file: TfliteFile, place: int, read: TfliteGraph, some: Samples) -> np.ndarray:
    """Return what an input of the file is fed: integers, or the real values that stand for them."""
    tensor = file.tensors[place]
    name = tensor.name
    ints = integers(some.fed[name])
    if tensor.type != "FLOAT32":
        return ints.astype(tensor.kind)
    said = read.graph.described[name]
    return (np.float32(said["scale"]) * (ints - said["zero_point"]).astype(np.float32)).astype(np.float32)


def _compared(
    file: TfliteFile, operator: TfliteOperator, place: int, found: np.ndarray, values: Mapping[str, Any], form
) -> int:
    """Assert that all integers are equal, and return how many."""
    kind, layout, name = form
    tensor = file.tensors[place]
    ours = integers(values[name]) + (tensor.zero if kind == REAL else 0)
    ours = np.moveaxis(ours, 1, -1) if layout == FIRST else ours
    expected = found.reshape(len(found), *tensor.shape[1:]).astype(np.int64)
    wrong = np.argwhere(ours.reshape(expected.shape) != expected)
    if len(wrong):
        first = tuple(int(i) for i in wrong[0])
        raise VerificationError(
            f"At {file.where(operator)} {len(wrong)} of {expected.size} integers differ from what {BY}"
            " computes of the whole file,"
            f" first at {list(first)}: expected {expected[first]}, found {ours.reshape(expected.shape)[first]}."
        )
    return expected.size


def _needed(file: TfliteFile) -> list[TfliteOperator]:
    """Return the operators that an output needs."""
    wanted, found = set(file.outputs), []
    for operator in reversed(file.operators):
        if wanted & set(operator.outputs):
            found.append(operator)
            wanted |= set(operator.inputs)
    return found[::-1]


def _work(file: TfliteFile) -> float:
    """Return the multiply-accumulates of one inference, about."""
    total = 1.0
    for operator in file.operators:
        weights = file.tensors[operator.inputs[1]] if len(operator.inputs) > 1 and operator.inputs[1] >= 0 else None
        outputs = float(np.prod(file.tensors[operator.outputs[0]].shape)) if operator.outputs else 0.0
        taps = (
            weights.data.size / max(weights.shape[0], weights.shape[-1] if operator.kind.startswith("DEPTH") else 1)
            if (weights is not None and weights.data is not None and weights.data.ndim > 1)
            else 10
        )
        total += outputs * taps
    return total


def _told(
    job: Job, file: TfliteFile, forms: Iterable[int], counts: dict[int, int], done: int, offered: int, refused: str
) -> dict[str, Any]:
    missing = {} if forms else {"the file": "none of its tensors is integers here"}
    if refused:
        missing = {file.where(file.operators[0]): refused}
    lacking = [
        op for op in _needed(file) if op.kind not in ("QUANTIZE", "DEQUANTIZE") and not set(op.outputs) & set(counts)
    ]
    missing |= {file.where(op): "its tensor is not in the graph" for op in lacking if not refused}
    say_uncompared(job, missing)
    for place, count in counts.items():
        if count:
            job.verified(f"file {file.tensors[place].name}", count, count)
    cut = {"the file": [done, offered]} if done < offered else {}
    layers = sum(1 for count in counts.values() if count)
    found = {
        "by": [BY],
        "layers": layers,
        "values": sum(counts.values()),
        "ties": 0,
        "cut_short": cut,
        "uncompared": missing,
    }
    say_layers(job, found)
    return found
