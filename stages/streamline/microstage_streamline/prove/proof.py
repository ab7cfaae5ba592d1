"""Prove the new graph against the reference, integer by integer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from qonnx.core.onnx_exec import execute_onnx

from microstage.errors import VerificationError
from microstage.integer import Interpreter, QTensor
from microstage.integer.sequence import integers
from microstage.interface import golden
from microstage.stage import Job
from microstage.untrusted.exceptions import translated
from microstage_streamline.convert import Converted
from microstage_streamline.finn.bipolar_to_xnor import BITS

__all__ = ["Proof"]

_COUNT = "XnorPopcountMatMul"
_EXACT_IN_FLOAT32 = 1 << 24
_EXECUTED_BY_QONNX = 2
_MOST_KEPT = 1 << 22  # values in golden.npz; beyond, the border alone


class Proof:
    """A comparison on `vectors`, {tensor that is fed: values}: graph inputs, or the tensors where integers enter."""

    def __init__(self, part: Converted, vectors: Mapping[str, Any]) -> None:
        self.part, self.vectors = part, vectors
        self.normal, self.integer_graph, self.written, self.model = (
            part.normal,
            part.integer_graph,
            part.written,
            part.model.model,
        )
        self.found = _LaidOutTensors(part)
        self.compared = [
            tensor
            for tensor in self.found.tensors
            if tensor in part.normal.values and tensor not in part.integer_graph.negated
        ]
        self.counts = dict.fromkeys(self.compared, 0)
        self.beyond_float32 = ""

    def integers(self) -> dict[str, np.ndarray]:
        """Compare every tensor with the reference, bit-exact or `VerificationError`; return the golden vectors.

        `beyond_float32` says which tensor held integers that float32 does not.
        """
        interpreter = Interpreter(self.model)
        kept: dict[str, list[np.ndarray]] = {}
        wanted = [*self.compared, *self.integer_graph.inputs]
        for part in self._parts():
            expected = self.normal.graph.run(part, wanted)
            fed = {name: integers(expected[tensor]) for name, tensor in self.written.entered.items()}
            found = self.found.integers(interpreter.run(fed, self.found.names))
            self._within_types(found)
            for tensor in self.compared:
                self.counts[tensor] += golden.compare(
                    tensor, self.integer_graph.kept_channels(tensor, integers(expected[tensor])), found[tensor]
                ).compared
            for name, value in {**fed, **self._kept(found)}.items():
                kept.setdefault(name, []).append(integers(value))
        return {name: _smallest(np.concatenate(values)) for name, values in kept.items()}

    def verified(self, job: Job) -> None:
        """Record what `integers` compared."""
        for tensor, count in self.counts.items():
            job.verified(self.written.renamed.get(tensor, tensor), count, count)

    def _parts(self) -> Iterator[dict[str, Any]]:
        count = max(len(getattr(value, "ints", value)) for value in self.vectors.values())
        for start in range(0, count, step := self.normal.graph.at_once):
            yield {name: _rows(value, start, start + step) for name, value in self.vectors.items()}

    def _within_types(self, found: Mapping[str, np.ndarray]) -> None:
        """Assert that what was observed fits what was proven."""
        for tensor, value in found.items():
            low, high = self.integer_graph.ranges[tensor].ends
            if value.min() < low or value.max() > high:
                raise VerificationError(
                    f"{tensor} is proven to be {low}..{high} but held {value.min()}..{value.max()}."
                )
            most = int(np.abs(value).max())
            if most > _EXACT_IN_FLOAT32 and not self.beyond_float32:
                self.beyond_float32 = f"{tensor} holds {most}, beyond the 24 bits of its float32"

    def _kept(self, found: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Return outputs and thresholds by their names in the model."""
        renamed = self.written.renamed
        outputs = {output: found[tensor] for output, tensor in self.found.outputs.items()}
        quantised = [n.output for n in self.integer_graph.nodes if n.op in ("MultiThreshold", "Requantize")]
        levels = {renamed.get(name, name): found[name] for name in quantised}
        size = sum(np.size(integers(value)[0]) for value in levels.values())
        count = max(len(getattr(value, "ints", value)) for value in self.vectors.values())
        return {**levels, **outputs} if size * count <= _MOST_KEPT else outputs

    def executor(self, job: Job, vectors: Mapping[str, np.ndarray]) -> None:
        """Run qonnx's own executor on the same graph, on the first vector and the last, and compare."""
        rows = [0, len(next(iter(vectors.values()))) - 1][:_EXECUTED_BY_QONNX]
        compared = dict.fromkeys(self.integer_graph.outputs, 0)
        for row in rows:
            fed = {name: vectors[name][row : row + 1].astype(np.float32) for name in self.written.entered}
            with translated(lambda said: VerificationError(f"qonnx cannot run the FINN-ONNX that was made: {said}.")):
                executed = execute_onnx(self.part.model, fed)
            for name in compared:
                compared[name] += golden.compare(
                    f"qonnx {name}", integers(vectors[name][row : row + 1]), integers(executed[name])
                ).compared
        for name, count in compared.items():
            job.verified(f"qonnx {name}", count, count)


class _LaidOutTensors:
    """The integers of the cleaned graph's `tensors` in the model that is laid out: read by `names`, moved back, bits as
    -1 and 1.
    """

    def __init__(self, part: Converted) -> None:
        renamed, nodes = part.written.renamed, part.model.graph.node
        made = {name for node in nodes for name in node.output} | {value.name for value in part.model.graph.input}
        made &= {name for node in nodes for name in node.input} | {value.name for value in part.model.graph.output}
        self.stored, self.tensors, self.bits = part.laid.stored, {}, set()
        ends = {output: found.name for output, found in part.integer_graph.answers().items()}
        entered = [
            tensor for tensor in part.integer_graph.inputs if tensor in ends.values()
        ]  # which are answered as they are
        for tensor in (*(name for node in part.integer_graph.nodes for name in node.outputs), *entered):
            lying = self.stored.get(renamed.get(tensor, tensor))
            if lying is not None and made & {lying.name, f"{lying.name}{BITS}"}:
                self.bits |= set() if lying.name in made else {tensor}
                self.tensors[tensor] = replace(lying, name=lying.name if lying.name in made else f"{lying.name}{BITS}")
        self.outputs = {output: tensor for output, tensor in ends.items() if tensor in self.tensors}
        self.names = {lying.name for lying in self.tensors.values()}
        counts = {
            node.output[0]: len(part.model.get_initializer(node.input[1])) for node in nodes if node.op_type == _COUNT
        }
        own = {
            node.output for node in part.integer_graph.nodes if node.op == _COUNT
        }  # the file's, which stand for nothing else
        self.rows = {
            tensor: counts[lying.name]
            for tensor, lying in self.tensors.items()
            if lying.name in counts and tensor not in own
        }

    def integers(self, found: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return {tensor of the cleaned graph: integers}: 2 b - 1 of bits, 2 p - K of how many of K are equal."""
        restored = {}
        for tensor, lying in self.tensors.items():
            value = integers(found[lying.name])
            if tensor in self.bits or tensor in self.rows:
                value = 2 * value - self.rows.get(tensor, 1)
            restored[tensor] = lying.restored(value)
        return restored


def _rows(value: Any, start: int, end: int) -> Any:
    return QTensor(value.ints[start:end], value.scale) if isinstance(value, QTensor) else value[start:end]


def _smallest(values: np.ndarray) -> np.ndarray:
    for kind in (np.int8, np.uint8, np.int16, np.int32):
        if values.min() >= np.iinfo(kind).min and values.max() <= np.iinfo(kind).max:
            return values.astype(kind)
    return values
