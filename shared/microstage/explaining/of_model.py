"""Explain a network that was trained here, in the environment that it was trained in."""

from __future__ import annotations

import torch

from microstage.explaining.brevitas_twins import BrevitasTwins
from microstage.explaining.float_twins import FloatTwins
from microstage.explaining.measuring import explained
from microstage.explaining.twins import Twins
from microstage.files.canonical import write_json
from microstage.interface import golden
from microstage.models import hook, user_module
from microstage.models.definition import REPLAYED, model_of
from microstage.models.exporting import Exporting
from microstage.models.floats.exporting import FloatExporting
from microstage.stage import Job, stage_main
from microstage.untrusted.weights import read_weights

__all__ = ["run"]

_WEIGHTS = "quantised_model_weight.pth"


def run(job: Job) -> None:
    """Write `explain.json` of the network in the artefact `train`; `reference` has its golden vectors."""
    trained, module = job.inputs["train"], job.inputs.get("module")
    torch.use_deterministic_algorithms(True)
    model = model_of(trained, module)
    with user_module.blaming_the_module(model, module, job.logs):
        exporting: Exporting = user_module.exporting(hook(model, "export", module))(trained)
        exporting.network.load_weights(read_weights(trained / _WEIGHTS))
        exporting.network.eval()
        found = explained(_twins(job, exporting), job.parameters.get("sample"), job.progress)
    write_json(job.output / "explain.json", {"network": model, **found})


def _twins(job: Job, exporting: Exporting) -> Twins:
    if isinstance(exporting, FloatExporting):
        return FloatTwins(exporting, job.inputs["train"])
    folders = job.inputs["reference"] / golden.FILE, job.inputs["train"] / REPLAYED
    return BrevitasTwins(exporting, {name: values for path in folders for name, values in golden.load(path).items()})


if __name__ == "__main__":
    raise SystemExit(stage_main("explain", run))
