"""Read, convert, split, run the reference, prove, write: in that order."""

from __future__ import annotations

import shutil

import onnx

from microstage.errors import naming
from microstage.files.canonical import write_json
from microstage.interface import golden
from microstage.models.definition import FILE, ModelDeclaration, read
from microstage.stage import Job, stage_main
from microstage.untrusted.onnx_file import read_onnx
from microstage_qcdq.prove import proof
from microstage_qcdq.reading import network_of


def run(job: Job) -> None:
    source = job.inputs["export"]
    with naming("brevitas_export_model.onnx"):
        model = read_onnx(source / "brevitas_export_model.onnx")
    declared = ModelDeclaration.of(read(source))
    network = network_of(model, declared)
    recorded = network.as_boundaries(golden.load(source / golden.FILE))

    reference = network.reference(recorded)
    proof.against_simulation(job, network.parts, network.rows(recorded), network.curves)
    proof.against_onnxruntime(job, network.parts, network.rows(reference))
    network.prove_further(job, reference, recorded)

    for name, model in {**network.parts, **network.composed}.items():
        onnx.save(model, str(job.output / f"{name}.onnx"))
    write_json(job.output / "interface.json", network.interface)
    shutil.copy(source / FILE, job.output / FILE)
    carried = {name: values for name, values in recorded.items() if name not in reference}
    further = network.centred(reference)
    golden.save(
        job.output / golden.FILE, {**carried, **reference, **further, **network.real_vectors(recorded, reference)}
    )


if __name__ == "__main__":
    raise SystemExit(stage_main("qcdq", run))
