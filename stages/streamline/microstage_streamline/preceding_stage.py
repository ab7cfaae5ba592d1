"""Convert the parts that the stage before made: QCDQ graphs, all of which must become integer."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper

from microstage.errors import naming
from microstage.files.canonical import write_json
from microstage.interface import golden
from microstage.interface.recurrence import Recurrence
from microstage.models.definition import FILE
from microstage.signals.settle import Settling
from microstage.stage import Job
from microstage.untrusted.onnx_file import read_onnx
from microstage_streamline.convert import Converted, convert
from microstage_streamline.finn.layout import input_ranges
from microstage_streamline.prove import sequences
from microstage_streamline.read.onnx_graph import graph_of
from microstage_streamline.write import report

__all__ = ["PrecedingStage", "convert_part"]


@dataclass(frozen=True)
class PrecedingStage:
    """Parts of the stage before: QCDQ graphs, their interface, the integer reference's golden vectors.

    All of them must become integer.
    """

    folder: Path

    def convert(self) -> dict[str, Converted]:
        """Convert every part, laid out for FINN's streams from border to border; return them by name."""
        found = {}
        for name, described in self._interface()["parts"].items():
            with naming(described["file"]):
                found[name] = convert_part(read_onnx(self.folder / described["file"]), described)
        return found

    def file(self, name: str, part: Converted) -> str:
        """Return what a part's graph is called, without its ending."""
        return part.file_name(name.removesuffix("_qcdq").removesuffix("_qonnx"))

    def prove(self, job: Job, converted: dict[str, Converted]) -> dict[str, np.ndarray]:
        """Prove every boundary on every golden vector, over whole sequences; return the vectors as graphs take them."""
        described, models = self._interface(), {name: part.model for name, part in converted.items()}
        interface, sequence, recorded = (
            described["parts"],
            Recurrence.read(described),
            golden.load(self.folder / golden.FILE),
        )
        kept = {name: values for part in converted.values() for name, values in part.kept_channels(recorded).items()}
        stored = {name: part.laid.stored for name, part in converted.items()}
        report.say_beyond(job, converted.values())
        settling = Settling.read(described)
        observed = sequences.replay_golden(job, models, interface, recorded | kept, sequence, stored, settling)
        for name, model in models.items():
            job.metric(f"{name}.tensors_in_range", sequences.check_annotations(name, model, observed))
            if not converted[name].beyond:
                sequences.replay_executor(job, name, model, interface[name])
        if sequence is None:
            return recorded | sequences.as_taken(models, interface, recorded)
        job.metric("handed_over_in_range", sequences.check_handed_over(models, interface, sequence))
        for part in sequence.parts if sequence.carried else [sequence.cell]:
            before = read_onnx(self.folder / interface[part]["file"])
            sequences.replay_any_state(job, before, models[part], interface[part], stored[part])
        return recorded if sequence.carried else recorded | sequences.as_taken(models, interface, recorded)

    def fed(
        self, converted: dict[str, Converted], recorded: dict[str, np.ndarray], count: int
    ) -> dict[str, dict[str, np.ndarray]]:
        """Return {part: {input: integers [n, ...]}}, `count` golden vectors at most, as `streams` of the part take
        them; of a sequence its first steps.
        """
        described, models = self._interface(), {name: part.streams for name, part in converted.items()}
        interface, sequence = described["parts"], Recurrence.read(described)
        if sequence is None:
            return {name: {own: recorded[own][:count] for own in interface[name]["inputs"]} for name in models}
        stored = {name: part.laid.stored for name, part in converted.items()}
        vectors = golden.load(self.folder / golden.FILE)
        return sequences.taken(models, interface, vectors, sequence, stored, Settling.read(described), count)

    def write(self, job: Job, converted: dict[str, Converted], estimates: dict[str, Any]) -> None:
        """Write the interface, with shapes and datatypes of the new graphs, and the model's definition.

        A network that others know by a name is written under that name as well.
        """
        before, files = self._interface(), {name: self.file(name, part) for name, part in converted.items()}
        after, sequence = {key: value for key, value in before.items() if key != "parts"}, Recurrence.of(before)
        if sequence is not None:
            after["sequence"] = sequence.renamed(files).described()
        parts = {file: self._described(name, converted[name], before["parts"][name]) for name, file in files.items()}
        write_json(job.output / "interface.json", {**after, "parts": parts})
        shutil.copy(self.folder / FILE, job.output / FILE)
        known = json.loads((self.folder / FILE).read_text()).get("retrained")
        if known is not None and len(parts) == 1:
            shutil.copy(job.output / f"{next(iter(parts))}.onnx", job.output / Path(known).name)

    def _described(self, name: str, part: Converted, interface: dict[str, Any]) -> dict[str, Any]:
        """Return the QCDQ interface with shapes and datatypes of the streamlined graph; scales stay as metadata."""
        sides = {
            side: {
                tensor: {**said, **_of(part.model, tensor, said["range"])} for tensor, said in interface[side].items()
            }
            for side in ("inputs", "outputs")
        }
        return {"file": f"{self.file(name, part)}.onnx", **sides}

    def _interface(self) -> dict[str, Any]:
        return json.loads((self.folder / "interface.json").read_text())


def _of(model: ModelWrapper, tensor: str, ends: list[int]) -> dict[str, Any]:
    """Return shape and datatype of a tensor, and those integers within `ends` that it can hold."""
    kind = model.get_tensor_datatype(tensor)
    held = [max(ends[0], int(kind.min())), min(ends[1], int(kind.max()))]
    return {"shape": list(model.get_tensor_shape(tensor)), "datatype": kind.name, "range": held}


def convert_part(part: onnx.ModelProto, interface: dict[str, Any]) -> Converted:
    """Return a part of the stage before in integers alone: same names at its border, batch 1, channels last where FINN
    streams them so.
    """
    ranges, graph = input_ranges(interface), graph_of(_batch_of_one(part, interface))
    graph.inputs = {name: replace(entry, datatype=ranges[name]) for name, entry in graph.inputs.items()}
    return convert(graph, part.graph.name).all_integer().streamed()


def _batch_of_one(part: onnx.ModelProto, interface: dict[str, Any]) -> onnx.ModelProto:
    copy = onnx.ModelProto.FromString(part.SerializeToString())
    for value in copy.graph.input:
        value.type.tensor_type.ClearField("shape")
        for size in [1, *interface["inputs"][value.name]["shape"][1:]]:
            value.type.tensor_type.shape.dim.add().dim_value = size
    return copy
