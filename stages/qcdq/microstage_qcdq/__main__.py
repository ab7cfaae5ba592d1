"""Read, convert, split, compose, run the reference, prove: in that order."""

from __future__ import annotations

import shutil

import onnx

from microstage import golden
from microstage.canonical import write_json
from microstage.models.definition import FILE
from microstage.onnx_file import read_onnx
from microstage.stage import Job, stage_main
from microstage_qcdq import proof
from microstage_qcdq.compose import compose
from microstage_qcdq.convert_activations import ConvertActivationQuant
from microstage_qcdq.fold_weights import FoldWeightQuant
from microstage_qcdq.interface import describe
from microstage_qcdq.reference import reference_run
from microstage_qcdq.split import split_at_lstm


def run(job: Job) -> None:
    source = job.inputs["export"]
    model = read_onnx(source / "brevitas_export_model.onnx")
    for transformation in (FoldWeightQuant(), ConvertActivationQuant()):
        model, _ = transformation.apply(model)
    parts, curves = split_at_lstm(model)
    recorded = golden.load(source / golden.FILE)

    reference = reference_run(parts, recorded["window"])
    proof.against_simulation(job, parts, recorded, curves)
    proof.against_onnxruntime(job, parts, reference)
    proof.from_any_state(job, parts)
    composed = compose(parts)
    proof.report_free_running(job, composed, parts, reference, recorded)

    files = {"cnn": "subcnn.onnx", "lstm": "sublstm_qcdq.onnx", "mlp": "submlp.onnx"}
    for name, file in files.items():
        onnx.save(parts[name], str(job.output / file))
    onnx.save(composed, str(job.output / "model_qcdq_composed.onnx"))
    write_json(job.output / "interface.json", describe(parts, files))
    shutil.copy(source / FILE, job.output / FILE)
    carried = {name: recorded[name] for name in ("waveform", "truth", "real", "gain_exponent")}
    golden.save(job.output / golden.FILE, {**carried, **reference})


if __name__ == "__main__":
    raise SystemExit(stage_main("qcdq", run))
