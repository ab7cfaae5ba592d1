"""What is proven of the new graph, integer by integer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from qonnx.core.onnx_exec import execute_onnx

from microstage import golden
from microstage.errors import VerificationError
from microstage.integer import Interpreter, QTensor
from microstage.integer.sequence import integers
from microstage.stage import Job
from microstage_streamline.finn.write import Written
from microstage_streamline.graph.normalise import Normaliser
from microstage_streamline.integerise.made import Made

__all__ = ["Proof"]

_AT_ONCE = 16
_EXECUTED_BY_QONNX = 2
_MOST_KEPT = 1 << 25  # values in golden.npz; beyond, the border alone


class Proof:
    """`vectors`: {tensor that is fed: values}; graph inputs, or the tensors where integers enter."""

    def __init__(self, normal: Normaliser, made: Made, written: Written, vectors: Mapping[str, Any]) -> None:
        self.normal, self.made, self.written, self.vectors = normal, made, written, vectors
        self.names = {tensor: written.renamed.get(tensor, tensor) for node in made.nodes for tensor in node.outputs}
        self.compared = [tensor for tensor in self.names if tensor in normal.values and tensor not in made.negated]

    def integers(self, job: Job) -> dict[str, np.ndarray]:
        """Every tensor of the new graph against the reference, bit-exact or `VerificationError`; the golden vectors."""
        interpreter = Interpreter(self.written.model.model)
        kept: dict[str, list[np.ndarray]] = {}
        counts = dict.fromkeys(self.compared, 0)
        wanted = [*self.compared, *self.made.inputs]
        for part in self._parts():
            expected = self.normal.graph.run(part, wanted)
            fed = {name: integers(expected[tensor]) for name, tensor in self.written.entered.items()}
            found = interpreter.run(fed, [self.names[tensor] for tensor in self.names])
            self._within_types(found)
            for tensor in self.compared:
                counts[tensor] += golden.compare(tensor, integers(expected[tensor]), integers(found[self.names[tensor]])).compared
            for name, value in {**fed, **self._kept(found)}.items():
                kept.setdefault(name, []).append(integers(value))
        for tensor, count in counts.items():
            job.verified(self.names[tensor], count, count)
        return {name: _smallest(np.concatenate(values)) for name, values in kept.items()}

    def _parts(self) -> Iterator[dict[str, Any]]:
        count = max(len(getattr(value, "ints", value)) for value in self.vectors.values())
        for start in range(0, count, _AT_ONCE):
            yield {name: _rows(value, start, start + _AT_ONCE) for name, value in self.vectors.items()}

    def _within_types(self, found: Mapping[str, Any]) -> None:
        """What was observed fits what was proven."""
        for tensor, name in self.names.items():
            low, high = self.made.ranges[tensor].ends
            value = integers(found[name])
            if value.min() < low or value.max() > high:
                raise VerificationError(f"{name} is proven to be {low}..{high} but held {value.min()}..{value.max()}.")

    def _kept(self, found: Mapping[str, Any]) -> dict[str, Any]:
        outputs = {name: found[name] for name in self.made.outputs}
        levels = {self.names[n.output]: found[self.names[n.output]] for n in self.made.nodes if n.op == "MultiThreshold"}
        size = sum(np.size(integers(value)[0]) for value in levels.values())
        count = max(len(getattr(value, "ints", value)) for value in self.vectors.values())
        return {**levels, **outputs} if size * count <= _MOST_KEPT else outputs

    def executor(self, job: Job, vectors: Mapping[str, np.ndarray]) -> None:
        """qonnx's own executor on the same graph, on the first vector and the last."""
        rows = [0, len(next(iter(vectors.values()))) - 1][:_EXECUTED_BY_QONNX]
        compared = dict.fromkeys(self.made.outputs, 0)
        for row in rows:
            executed = execute_onnx(self.written.model, {n: vectors[n][row : row + 1].astype(np.float32) for n in self.written.entered})
            for name in compared:
                compared[name] += golden.compare(f"qonnx {name}", integers(vectors[name][row : row + 1]), integers(executed[name])).compared
        for name, count in compared.items():
            job.verified(f"qonnx {name}", count, count)


def _rows(value: Any, start: int, end: int) -> Any:
    return QTensor(value.ints[start:end], value.scale) if isinstance(value, QTensor) else value[start:end]


def _smallest(values: np.ndarray) -> np.ndarray:
    for kind in (np.int8, np.uint8, np.int16, np.int32):
        if values.min() >= np.iinfo(kind).min and values.max() <= np.iinfo(kind).max:
            return values.astype(kind)
    return values
