"""Read, convert, split, run the reference, prove, write: in that order."""

from __future__ import annotations

import shutil

import onnx

from microstage import golden
from microstage.canonical import write_json
from microstage.errors import naming
from microstage.models.definition import FILE, Declared, read
from microstage.onnx_file import read_onnx
from microstage.stage import Job, stage_main
from microstage_qcdq import proof
from microstage_qcdq.any_batch import AnyBatch
from microstage_qcdq.convert_activations import ConvertActivationQuant
from microstage_qcdq.fold_weights import FoldWeightQuant
from microstage_qcdq.interface import describe
from microstage_qcdq.network import Network


def run(job: Job) -> None:
    source = job.inputs["export"]
    with naming("brevitas_export_model.onnx"):
        model = read_onnx(source / "brevitas_export_model.onnx")
    for transformation in (AnyBatch(), FoldWeightQuant(), ConvertActivationQuant()):
        model, _ = transformation.apply(model)
    declared = Declared.of(read(source))
    network = Network(model, declared)
    recorded = golden.load(source / golden.FILE)

    reference = network.reference(recorded)
    proof.against_simulation(job, network.parts, network.sequence, recorded, network.curves)
    proof.against_onnxruntime(job, network.parts, network.sequence, reference)
    network.prove_further(job, reference, recorded)

    for name, part in network.parts.items():
        onnx.save(part, str(job.output / f"{name}.onnx"))
    onnx.save(network.composed, str(job.output / "model_qcdq_composed.onnx"))
    write_json(job.output / "interface.json", describe(network.parts, network.sequence, network.ranges, declared))
    shutil.copy(source / FILE, job.output / FILE)
    carried = {name: values for name, values in recorded.items() if name not in reference}
    golden.save(job.output / golden.FILE, {**carried, **reference, **network.real_vectors(recorded, reference)})


if __name__ == "__main__":
    raise SystemExit(stage_main("qcdq", run))
