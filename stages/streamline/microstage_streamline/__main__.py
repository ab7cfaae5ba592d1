"""Make integer, replay, estimate, write: in that order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from microstage import golden
from microstage.canonical import write_json
from microstage.models.definition import FILE
from microstage.onnx_file import read_onnx
from microstage.stage import Job, stage_main
from microstage_streamline.verify import sequences as replay
from microstage_streamline.finn.estimate import estimate
from microstage_streamline.integer_graph import make_integer
from microstage_streamline.finn.save import save
from microstage_streamline.finn.layout import lowered


def run(job: Job) -> None:
    if "network" in job.inputs:
        from microstage_streamline.own_network import run as run_own

        return run_own(job)
    source = job.inputs["qcdq"]
    interface = json.loads((source / "interface.json").read_text())["parts"]
    quantised = {name: read_onnx(source / described["file"]) for name, described in interface.items()}
    models = {name: make_integer(part, interface[name]) for name, part in quantised.items()}

    vectors = golden.load(source / golden.FILE)
    observed = replay.replay_golden(job, models, interface, vectors)
    for name, model in models.items():
        job.metric(f"{name}.tensors_in_range", replay.check_annotations(name, model, observed))
        replay.replay_executor(job, name, model, interface[name])
    for step in [name for name in models if replay.RECURRENT_ROLES.get(name) == "lstm"]:
        replay.replay_any_state(job, quantised[step], models[step], interface[step])

    write_json(job.output / "estimates.json", estimate(job, {name: lowered(model, interface[name]) for name, model in models.items()}))
    described = {_file(name): _describe(model, interface[name], _file(name)) for name, model in models.items()}
    for name, model in models.items():
        save(model, job.output / f"{_file(name)}.onnx")
    write_json(job.output / "interface.json", {"parts": described})
    shutil.copy(source / FILE, job.output / FILE)
    golden.save(job.output / golden.FILE, vectors | replay.as_taken(models, interface, vectors))
    _also_as_published(job, list(described))


def _also_as_published(job: Job, files: list[str]) -> None:
    """A network that others know by a file's name is written under that name, too."""
    name = json.loads((job.output / FILE).read_text()).get("retrained")
    if name is not None and len(files) == 1:
        shutil.copy(job.output / f"{files[0]}.onnx", job.output / Path(name).name)


def _file(part: str) -> str:
    return f"{part.removesuffix('_qcdq').removesuffix('_qonnx')}_finn_streamlined"


def _describe(model: ModelWrapper, interface: dict[str, Any], file: str) -> dict[str, Any]:
    """The QCDQ interface with the shapes and datatypes of the streamlined graph; scales are metadata from here on."""
    def tensors(side: str) -> dict[str, Any]:
        return {
            name: {**tensor, "shape": list(model.get_tensor_shape(name)), "datatype": model.get_tensor_datatype(name).name}
            for name, tensor in interface[side].items()
        }

    return {"file": f"{file}.onnx", "inputs": tensors("inputs"), "outputs": tensors("outputs")}


if __name__ == "__main__":
    raise SystemExit(stage_main("streamline", run))
