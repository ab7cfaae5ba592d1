"""Read, convert, split, run the reference, prove, write: in that order."""

from __future__ import annotations

import shutil

import onnx

from microstage import golden
from microstage.canonical import write_json
from microstage.models.definition import FILE, read
from microstage.onnx_file import read_onnx
from microstage.stage import Job, stage_main
from microstage_qcdq import proof
from microstage_qcdq.convert_activations import ConvertActivationQuant
from microstage_qcdq.fold_weights import FoldWeightQuant
from microstage_qcdq.forms import form_of
from microstage_qcdq.interface import describe


def run(job: Job) -> None:
    source = job.inputs["export"]
    model = read_onnx(source / "brevitas_export_model.onnx")
    for transformation in (FoldWeightQuant(), ConvertActivationQuant()):
        model, _ = transformation.apply(model)
    form = form_of(model, read(source))
    recorded = golden.load(source / golden.FILE)

    reference = form.reference(recorded)
    proof.against_simulation(job, form.parts, recorded, form.curves)
    proof.against_onnxruntime(job, form.parts, reference)
    form.prove_further(job, reference, recorded)

    for name, file in form.files.items():
        onnx.save(form.parts[name], str(job.output / file))
    onnx.save(form.composed, str(job.output / "model_qcdq_composed.onnx"))
    write_json(job.output / "interface.json", describe(form.parts, form.files, form.ranges, form.units))
    shutil.copy(source / FILE, job.output / FILE)
    carried = {name: values for name, values in recorded.items() if name not in reference}
    golden.save(job.output / golden.FILE, {**carried, **reference})


if __name__ == "__main__":
    raise SystemExit(stage_main("qcdq", run))
