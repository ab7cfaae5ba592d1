"""Weights, network, simulation, ONNX: in that order."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from microstage import golden
from microstage.errors import ModelError
from microstage.models.harmonic.definition import FILE, HarmonicDefinition
from microstage.models.harmonic.network import HarmonicNetwork
from microstage.signals import block_float
from microstage.stage import Job, stage_main
from microstage_export.onnx_file import export
from microstage_export.simulation import simulate
from microstage_export.warned import heard
from microstage_export.weights import read_weights

_LARGEST = 4096  # the widest that `train` makes


def run(job: Job) -> None:
    source = job.inputs["train"]
    network = HarmonicNetwork(_definition(source))
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


def _definition(folder: Path) -> HarmonicDefinition:
    """The definition, once its sizes are numbers that a network can have; `ModelError` names the first that is not."""
    try:
        definition = HarmonicDefinition.load(folder)
    except OverflowError:
        raise ModelError(f"{folder / FILE} gives an endless window.") from None
    for name, value in asdict(definition).items():
        if type(value) is not int and not (name == "cycles" and type(value) is float) or not 0 < value <= _LARGEST:
            raise ModelError(f"{folder / FILE} gives {name}={value!r}; expected a positive number up to {_LARGEST}.")
    return definition


if __name__ == "__main__":
    raise SystemExit(stage_main("export", run))
