"""Weights, network, simulation, ONNX: in that order."""

from __future__ import annotations

import shutil

import numpy as np
import torch

from microstage import golden
from microstage.models.harmonic.definition import FILE, HarmonicDefinition
from microstage.models.harmonic.network import HarmonicNetwork
from microstage.signals import block_float
from microstage.stage import Job, stage_main
from microstage_export.onnx_file import export
from microstage_export.simulation import simulate
from microstage_export.warned import heard
from microstage_export.weights import read_weights


def run(job: Job) -> None:
    source = job.inputs["train"]
    network = HarmonicNetwork(HarmonicDefinition.load(source))
    network.load_weights(read_weights(source / "quantised_model_weight.pth"))
    network.eval()

    replayed = golden.load(source / "test.npz")
    integers, exponent = block_float(replayed["waveform"].astype(np.float64))
    with torch.no_grad():
        traced = simulate(network, integers)
    golden.save(job.output / golden.FILE, {**replayed, **traced, "gain_exponent": exponent})
    job.metric("golden.windows", len(integers))

    with heard(job):
        export(network, job.output / "brevitas_export_model.onnx")
    shutil.copy(source / FILE, job.output / FILE)
    job.log(f"export: {len(traced)} boundaries recorded over {len(integers)} windows")


if __name__ == "__main__":
    raise SystemExit(stage_main("export", run))
