"""Explain a file of the user, in the environment in which it became integers."""

from __future__ import annotations

import numpy as np

from microstage.errors import ArtefactError, naming
from microstage.explaining.measuring import explained
from microstage.explaining.twins import Arrays
from microstage.files.canonical import write_json
from microstage.interface import golden
from microstage.stage import Job, stage_main
from microstage.untrusted.onnx_file import is_tflite, read_onnx
from microstage_streamline.convert import declared
from microstage_streamline.explain.file_twins import FileTwins, beside_the_float_file, without_quantisers
from microstage_streamline.graph.graph import Graph
from microstage_streamline.normalise.input_type import InputType
from microstage_streamline.prove.real_vectors import PREFIX
from microstage_streamline.quantise.calibration import read_calibration
from microstage_streamline.quantise.float_graph import float_form, name_nodes
from microstage_streamline.read.onnx_graph import opset_of, read_graph
from microstage_streamline.user_network import UserNetwork

__all__ = ["run"]

_MODEL, _CALIBRATION, _QUANTISED = "model.onnx", "calibration.npz", "model_quantised.onnx"


def run(job: Job) -> None:
    """Write `explain.json` of the user's file in `network`; `integers` is the artefact that was made of it."""
    network = UserNetwork(job.inputs["network"], job.scratch)
    with naming(network.called), np.errstate(all="ignore"):
        twins = _of_a_float_file(job) if (network.folder / _CALIBRATION).exists() else _of_a_quantised_file(job)
        found = explained(twins, job.parameters.get("sample"), job.progress)
    write_json(job.output / "explain.json", {"network": network.called, **found})


def _of_a_float_file(job: Job) -> FileTwins:
    folder, scratch = job.inputs["network"], job.scratch / "quantise"
    inputs = read_graph(folder / _MODEL).inputs
    model = read_onnx(folder / _MODEL)
    name_nodes(model.graph)
    prepared = float_form(model, opset_of(model), scratch)
    twins = beside_the_float_file(read_onnx(job.inputs["integers"] / _QUANTISED), prepared)
    return twins.on(read_calibration(folder / _CALIBRATION, "", inputs).arrays, "rows of CALIBRATION")


def _of_a_quantised_file(job: Job) -> FileTwins:
    graph, given = (
        UserNetwork(job.inputs["network"], job.scratch, _rounding(job)).opened.graph(),
        InputType.read(job.parameters),
    )
    graph = declared(graph, given) if given else graph
    vectors = _inputs(golden.load(job.inputs["integers"] / golden.FILE), graph)
    own = (job.inputs["network"] / golden.FILE).exists()
    return without_quantisers(graph).on(vectors, "rows of GOLDEN" if own else "drawn at random, as there is no GOLDEN=")


def _rounding(job: Job) -> str:
    """Return how a file is read: a .tflite file as real numbers between quantisers, which its floats are made of."""
    return "half_even" if is_tflite(job.inputs["network"] / _MODEL) else ""


def _inputs(recorded: Arrays, graph: Graph) -> dict[str, np.ndarray]:
    """Return what the integers were proven on, by the names of the file's inputs: integers of those that take them."""
    found = {
        name: recorded.get(name) if entry.datatype else recorded.get(f"{PREFIX}{name}", recorded.get(name))
        for name, entry in graph.inputs.items()
    }
    if lacking := [name for name, values in found.items() if values is None]:
        raise ArtefactError(f"{lacking[0]} has no samples among the golden vectors: give GOLDEN= with real inputs.")
    return {name: values for name, values in found.items() if values is not None}


if __name__ == "__main__":
    raise SystemExit(stage_main("explain", run))
