"""What each graph of an artefact takes and gives: golden vectors over their sequences, then random ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from microstage.errors import VerificationError
from microstage.integer import Interpreter
from microstage.integer.sequence import batches, integers, run_sequence
from microstage.interface import golden
from microstage.interface.gain import EXPONENT
from microstage.interface.recurrence import Recurrence
from microstage.signals.settle import Settling
from microstage_streamline.hand_over.folder import FOLDER

__all__ = ["GraphVectors", "tensors", "vectors_of"]

_END = "_finn_streamlined"


class GraphVectors:
    """Inputs of one graph, int64 [frames, ...] as it takes them."""

    def __init__(self, model: ModelWrapper, ends: Mapping[str, tuple[int, int]]) -> None:
        self.model, self.ends, self.interpreter = model, ends, Interpreter(model.model)
        self.shapes = self.interpreter.shapes
        self.seen: list[dict[str, np.ndarray]] = []

    def run(self, inputs: Mapping[str, np.ndarray], record: Iterable[str] = ()) -> dict[str, Any]:
        """Run the graph as an `Interpreter` does, and keep what it was given."""
        self.seen.append({name: np.asarray(value, np.int64) for name, value in inputs.items()})
        return self.interpreter.run(inputs, record)

    def inputs(self, frames: int) -> dict[str, np.ndarray]:
        """Return so many `frames`: those that were seen, then random ones anywhere within the ends of each input."""
        random = np.random.Generator(np.random.PCG64(0))
        found = {}
        for name, (_, *shape) in self.shapes.items():
            known = [inputs[name].reshape(-1, *shape) for inputs in self.seen]
            golden_ones = np.concatenate(known)[:frames] if known else np.zeros((0, *shape), np.int64)
            low, high = self.ends[name]
            drawn = random.integers(low, high, (frames - len(golden_ones), *shape), endpoint=True)
            found[name] = np.concatenate([golden_ones, drawn])
        return found


def tensors(model: ModelWrapper, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return every tensor of a graph as FINN gets it, int64 [frames, ...]."""
    names, interpreter = [name for node in model.graph.node for name in node.output], Interpreter(model.model)
    runs = [interpreter.run(batch, names) for batch in batches(inputs)]
    return {name: np.concatenate([integers(run[name]) for run in runs]) for name in names} | dict(inputs)


def vectors_of(artefact: Path) -> dict[str, GraphVectors]:
    """Return the vectors of each FINN-ONNX graph of a streamline artefact, by its name; golden ones once more.

    A graph of no sequence that FINN gets in another form has those of its folder for finn-plus.
    """
    described = json.loads((artefact / "interface.json").read_text())
    graphs = {path.stem: artefact / FOLDER / path.stem.removesuffix(_END) for path in artefact.glob(f"*{_END}.onnx")}
    handed = graphs.keys() - described["parts"].keys()
    if Recurrence.read(described) is None:
        handed |= {name for name, folder in graphs.items() if (folder / "model.onnx").exists()}
    found = _golden(artefact, described) if graphs.keys() - handed else {}
    ends = {
        tensor: (int(said["range"][0]), int(said["range"][1]))
        for part in described["parts"].values()
        for tensor, said in part["inputs"].items()
    }
    found |= {name: _handed_over(artefact / f"{name}.onnx", graphs[name], ends) for name in handed}
    return {name: found[name] for name in sorted(graphs)}


def _handed_over(file: Path, folder: Path, ends: Mapping[str, tuple[int, int]]) -> GraphVectors:
    """Return the vectors of a graph as its `folder` for finn-plus has it, or of `file`, without golden ones, where it
    has none. Inputs that `ends` lacks are anything that their types hold.
    """
    if not folder.exists():
        return GraphVectors(ModelWrapper(onnx.load(str(file))), ends)
    ports, own = json.loads((folder / "ports.json").read_text()), folder / "model.onnx"
    given, expected = (
        {port["name"]: np.load(folder / port["file"]).astype(np.int64) for port in ports[side]}
        for side in ("inputs", "outputs")
    )
    types = {port["name"]: DataType[port["datatype"]] for port in ports["inputs"]}
    held = {name: (int(kind.min()), int(kind.max())) for name, kind in types.items()}
    vectors = GraphVectors(
        ModelWrapper(onnx.load(str(own if own.exists() else file))),
        {name: ends.get(name, held[name]) for name in held},
    )
    _assert_golden({name: integers(value) for name, value in vectors.run(given).items()}, expected)
    return vectors


def _golden(artefact: Path, described: Mapping[str, Any]) -> dict[str, GraphVectors]:
    """Return the vectors of each graph that the interface describes."""
    recorded = golden.load(artefact / golden.FILE)
    found: dict[str, Any] = {}
    for name, part in described["parts"].items():
        ends = {tensor: tuple(said["range"]) for tensor, said in part["inputs"].items()}
        found[name] = GraphVectors(ModelWrapper(onnx.load(str(artefact / part["file"]))), ends)
    sequence = Recurrence.read(described)
    if sequence is not None:
        made = {value.name for vectors in found.values() for value in vectors.model.graph.output}
        taken = {name for vectors in found.values() for name in vectors.shapes} - made | {EXPONENT}
        given = {name: recorded[name] for name in taken & recorded.keys()}
        _assert_golden(run_sequence(sequence, found, given, settling=Settling.read(described)), recorded)
        return found
    for vectors in found.values():
        given = {name: recorded[name].reshape(-1, *shape[1:]) for name, shape in vectors.shapes.items()}
        _assert_golden({name: integers(value) for name, value in vectors.run(given).items()}, recorded)
    return found


def _assert_golden(found: Mapping[str, np.ndarray], recorded: Mapping[str, np.ndarray]) -> None:
    """Compare what the graphs gave with the golden vectors of the same name."""
    for name, value in found.items():
        if name in recorded and not np.array_equal(value.ravel(), recorded[name].ravel()):
            raise VerificationError(f"{name} is not what the golden vectors say: make the artefact again.")
