"""Weights, network, simulation, ONNX: in that order."""

from __future__ import annotations

import shutil

import torch

from microstage import golden
from microstage.models import hook
from microstage.models.definition import FILE, model_of
from microstage.stage import Job, stage_main
from microstage.weights import read_weights
from microstage_export.onnx_file import export
from microstage_export.warned import heard


def run(job: Job) -> None:
    source = job.inputs["train"]
    model = model_of(source)
    trained = hook(model, "export").Exporting(source)
    trained.network.load_weights(read_weights(source / "quantised_model_weight.pth"))
    trained.network.eval()

    replayed = golden.load(source / "test.npz")
    with torch.no_grad():
        traced = trained.simulate(replayed)
    golden.save(job.output / golden.FILE, {**replayed, **traced})
    replays = len(traced[trained.output])
    job.metric("golden.windows", replays)

    with heard(job):
        export(trained, model, job.output / "brevitas_export_model.onnx")
    shutil.copy(source / FILE, job.output / FILE)
    job.log(f"export: {len(traced)} boundaries recorded over {replays} examples")


if __name__ == "__main__":
    raise SystemExit(stage_main("export", run))
