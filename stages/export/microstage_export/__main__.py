"""Weights, network, simulation, ONNX: in that order."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from microstage.interface import golden
from microstage.models import hook, user_module
from microstage.models.definition import FILE, REPLAYED, model_of
from microstage.models.exporting import Exporting
from microstage.models.network import Network
from microstage.stage import Job, stage_main
from microstage.untrusted.weights import read_weights
from microstage_export.onnx_file import export
from microstage_export.warning_log import logged_warnings


def run(job: Job) -> None:
    source = job.inputs["train"]
    module = job.inputs.get("module")
    model = model_of(source, module)
    with user_module.blaming_the_module(model, module, job.logs):
        found = user_module.exporting(hook(model, "export", module))
        user_module.expect(found, Exporting)
        _export(job, source, model, found(source))


def _export(job: Job, source: Path, model: str, trained: Exporting) -> None:
    user_module.expect(type(trained.network), Network)
    trained.network.load_weights(read_weights(source / "quantised_model_weight.pth"))
    trained.network.eval()

    replayed = golden.load(source / REPLAYED)
    with torch.no_grad():
        traced = trained.simulate(replayed)
    golden.save(job.output / golden.FILE, {**replayed, **traced})
    if trained.proven is not None:
        compared, ties = trained.proven
        job.verified("brevitas every quantiser", compared, compared - ties, ties)
    replays = len(traced[trained.outputs[0]])
    job.metric("golden.windows", replays)

    with logged_warnings(job):
        export(trained, model, job.output / "brevitas_export_model.onnx")
    trained.save(job.output)
    shutil.copy(source / FILE, job.output / FILE)
    job.log(f"export: {len(traced)} boundaries recorded over {replays} examples")


if __name__ == "__main__":
    raise SystemExit(stage_main("export", run))
