"""Take a network from where it comes: parts that the stage before made, or a file that something else wrote.

One road begins at either.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from functools import cached_property
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
from microstage.untrusted.onnx_file import NAMES, read_onnx
from microstage_streamline.convert import Converted, convert
from microstage_streamline.finn.layout import input_ranges
from microstage_streamline.integerise.missing import say_missing
from microstage_streamline.normalise.input_type import InputType, unquantised
from microstage_streamline.prove import sequences, vectors
from microstage_streamline.prove.proof import Proof
from microstage_streamline.prove.real_vectors import real_vectors
from microstage_streamline.prove.samples import attained, rows
from microstage_streamline.read.onnx_graph import graph_of
from microstage_streamline.user_file import Arrays, UserFile, opened
from microstage_streamline.write import report

__all__ = ["UserNetwork", "PrecedingStage", "convert_part"]

_FRONT = 8  # vectors on which the FINN-ONNX of a network's front is proven by itself


@dataclass(frozen=True)
class PrecedingStage:
    """Parts of the stage before: QCDQ graphs, their interface, the integer reference's golden vectors.

    All of them must become integer.
    """

    folder: Path

    def convert(self) -> dict[str, Converted]:
        """Return every part by its name, laid out for FINN's streams from border to border."""
        found = {}
        for name, described in self._interface()["parts"].items():
            with naming(described["file"]):
                found[name] = convert_part(read_onnx(self.folder / described["file"]), described)
        return found

    def file(self, name: str, part: Converted) -> str:
        """Return what a part's graph is called, without its ending."""
        return _file(name.removesuffix("_qcdq").removesuffix("_qonnx"), part)

    def prove(self, job: Job, converted: dict[str, Converted]) -> dict[str, np.ndarray]:
        """Return every boundary on every golden vector, over whole sequences; the vectors, as the graphs take them."""
        described, models = self._interface(), {name: part.model for name, part in converted.items()}
        interface, sequence, recorded = (
            described["parts"],
            Recurrence.read(described),
            golden.load(self.folder / golden.FILE),
        )
        kept = {name: values for part in converted.values() for name, values in part.left(recorded).items()}
        stored = {name: part.laid.stored for name, part in converted.items()}
        _say_beyond(job, converted)
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

    def write(self, job: Job, converted: dict[str, Converted], estimates: dict[str, Any]) -> None:
        """The interface, with the shapes and datatypes of the new graphs; the model's definition; the name that others
        know it by.
        """
        before = self._interface()
        after, sequence = {key: value for key, value in before.items() if key != "parts"}, Recurrence.of(before)
        if sequence is not None:
            after["sequence"] = sequence.renamed(
                {name: self.file(name, part) for name, part in converted.items()}
            ).described()
        parts = {
            self.file(name, part): self._described(name, part, before["parts"][name])
            for name, part in converted.items()
        }
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


@dataclass(frozen=True)
class UserNetwork:
    """A network that something else trained, `model.onnx`, and the user's own inputs and answers, if given.

    What cannot be integer is said.
    """

    folder: Path
    rounding: str = ""
    given: InputType | None = None
    name: str = "model"

    @classmethod
    def of(cls, job: Job) -> UserNetwork:
        """Return the file that the user named, read as the job's parameters say."""
        return cls(job.inputs["network"], job.parameters.get("rounding", ""), InputType.read(job.parameters))

    @cached_property
    def opened(self) -> UserFile:
        return opened(self.folder / "model.onnx", self.rounding)

    @property
    def called(self) -> str:
        """The user's own name of the file."""
        names, inside = self.folder / NAMES, "model.onnx"
        return json.loads(names.read_text())[inside] if names.exists() else inside

    def convert(self) -> dict[str, Converted]:
        """Return the one part, in the shapes and the order of the file."""
        with naming(self.called):
            return {self.name: convert(self.opened.graph(), "network", self.given)}

    def file(self, name: str, part: Converted) -> str:
        """Return what the graph is called, without its ending."""
        return _file(name, part)

    def prove(self, job: Job, converted: dict[str, Converted]) -> dict[str, np.ndarray]:
        """Return every tensor against the reference, on the user's vectors or drawn ones; each layer of the file
        against another executor.
        """
        with naming(self.called):
            return self._proven(job, converted)

    def _proven(self, job: Job, converted: dict[str, Converted]) -> dict[str, np.ndarray]:
        part = converted[self.name]
        arrays = self._arrays(part)
        say_missing(job, part.made, {node.output for node in unquantised(part.normal).values()})
        fed = vectors.given(part.normal, part.made, arrays) if arrays else self._drawn(part)
        proof = Proof(part, fed)
        recorded = proof.integers()
        if proof.beyond_float32 and not part.beyond:
            converted[self.name] = part = part.without_finn(proof.beyond_float32)
            proof = Proof(part, fed)
            recorded = proof.integers()
        if part.front and not _front_is_proven(job, part.front, fed):
            converted[self.name] = part = replace(part, front=None)
        _say_beyond(job, converted)
        proof.verified(job)
        if not part.beyond:
            proof.executor(job, recorded)
        job.metric("unresolved", len(part.made.unresolved))
        job.metric("compared", self.opened.compared(job, part, fed, recorded, arrays))
        return recorded | real_vectors(job, part, fed, arrays or {})

    def write(self, job: Job, converted: dict[str, Converted], estimates: dict[str, Any]) -> None:
        """The interface, and what became integer and what did not, for the person who brought the file and for
        programs.
        """
        part = converted[self.name]
        file = self.file(self.name, part)
        uncompared = job.metrics["compared"]["layers"]["uncompared"]
        lacks = {"uncompared": uncompared, "missing": report.missing(part.made)}
        said = {
            "file": f"{file}.onnx",
            **part.written.interface,
            **{what: found for what, found in lacks.items() if found},
        }
        rounding = {"rounding": self.opened.rounding} if self.opened.rounding else {}
        write_json(job.output / "interface.json", {"parts": {file: said}, **rounding})
        write_json(job.output / FILE, {"model": "network", "parameters": {}})
        write_json(job.output / "unresolved.json", report.unresolved(part))
        (job.output / "report.md").write_text(report.markdown(part, job.metrics["compared"], estimates))

    def _drawn(self, part: Converted) -> dict[str, Any]:
        return attained(part, vectors.drawn(part.made, vectors.how_many(part.made)))

    def _arrays(self, part: Converted) -> Arrays | None:
        path = self.folder / "golden.npz"
        return self.opened.golden(vectors.named(vectors.read_golden(path), part.normal)) if path.exists() else None


def _front_is_proven(job: Job, front: Converted, fed: dict[str, Any]) -> bool:
    """Compare the FINN-ONNX of what stands in front of the end in qonnx, as a whole network's.

    Return False where float32 does not hold its integers.
    """
    some = {name: rows(value, range(min(_FRONT, len(getattr(value, "ints", value))))) for name, value in fed.items()}
    proof = Proof(front, some)
    recorded = proof.integers()
    if proof.beyond_float32:
        return False
    proof.executor(job, recorded)
    return True


def _of(model: ModelWrapper, tensor: str, ends: list[int]) -> dict[str, Any]:
    """Shape and datatype of a tensor, and the integers, of those from one of `ends` to the other, that it has."""
    kind = model.get_tensor_datatype(tensor)
    held = [max(ends[0], int(kind.min())), min(ends[1], int(kind.max()))]
    return {"shape": list(model.get_tensor_shape(tensor)), "datatype": kind.name, "range": held}


def _file(name: str, part: Converted) -> str:
    return f"{name}_integer" if part.beyond else f"{name}_finn_streamlined"


def _say_beyond(job: Job, converted: dict[str, Converted]) -> None:
    for part in converted.values():
        if part.beyond:
            job.log(f"streamline: {report.beyond(part)}")


def convert_part(part: onnx.ModelProto, interface: dict[str, Any]) -> Converted:
    """Return a part of the stage before in integers alone: same names at its border, batch 1, channels last where FINN
    streams them so.
    """
    ranges, graph = input_ranges(interface), graph_of(_batch_of_one(part, interface))
    graph.inputs = {name: replace(entry, datatype=ranges[name]) for name, entry in graph.inputs.items()}
    return convert(graph, part.graph.name).whole().streamed()


def _batch_of_one(part: onnx.ModelProto, interface: dict[str, Any]) -> onnx.ModelProto:
    copy = onnx.ModelProto.FromString(part.SerializeToString())
    for value in copy.graph.input:
        value.type.tensor_type.ClearField("shape")
        for size in [1, *interface["inputs"][value.name]["shape"][1:]]:
            value.type.tensor_type.shape.dim.add().dim_value = size
    return copy
