"""Benchmark files: the folder that the EEMBC runner of MLPerf Tiny reads, checked before it is handed over.

`tst_{count:06d}_{Label}_{index}.bin` holds 490 bytes, int8; `y_labels.csv` a line `file, 12, index` for each. `model`
encodes as the network's own first quantiser does, coefficient-major, 10 by 49; `eembc` as the closed division's
reference network takes it, 49 by 10. Every file is read back and classified twice: by the streamlined integer graph,
and by the float model in onnxruntime.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from microstage.datasets.speech.cepstra import COEFFICIENTS, FRAMES
from microstage.datasets.speech.clips import CLASSES, Clips
from microstage.datasets.speech.reading import read
from microstage.errors import ModelError, VerificationError
from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage.models.kws.clips import features, mixed
from microstage.stage import Job, stage_main
from microstage.untrusted.onnx_file import read_onnx

__all__ = ["ENCODINGS", "encode_eembc", "encode_model", "run"]

ENCODINGS = ("model", "eembc")
# Input of kws_ref_model.tflite. The benchmark's own tool casts to int8, which cuts fractions off.
_EEMBC_SCALE, _EEMBC_ZERO = 0.5847029089927673, 83


def run(job: Job) -> None:
    p, source = job.parameters, job.inputs["train"]
    entry = _entry(job.inputs["streamline"])
    clips = mixed(read(p, job.inputs.get("data")).test)
    real = features(clips)
    eembc = p["encoding"] == "eembc"
    encoded = encode_eembc(real) if eembc else encode_model(real, entry)
    _write(job.output, clips, encoded)

    read_back = _read(job.output, clips)
    heard = _decode_eembc(read_back) if eembc else read_back * np.float64(entry["scale"])
    levels = encode_model(heard, entry) if eembc else read_back
    answers = _by_integers(job.inputs["streamline"], levels)
    _assert_equal(job, clips, answers, _by_floats(job.inputs["qcdq"], heard))
    origin = json.loads((source / "metrics.json").read_text())["test.origin"]
    accuracy = float(np.mean(answers == clips.label))
    job.metric("accuracy", accuracy)
    job.log(f"binfiles: {len(clips)} files, accuracy {100 * accuracy:.2f} %; {origin}")


def encode_model(real: np.ndarray, entry: Mapping[str, Any]) -> np.ndarray:
    """Return int8 [n, 490]: the network's input quantiser, rounding half to even and clipping to its range."""
    low, high = entry["range"]
    quotient = real.astype(np.float32) / np.float32(entry["scale"])
    return np.clip(np.rint(quotient) + entry["zero_point"], low, high).astype(np.int8)


def encode_eembc(real: np.ndarray) -> np.ndarray:
    """Return int8 [n, 490], frame-major, from coefficient-major features."""
    by_frame = np.swapaxes(real.reshape(-1, COEFFICIENTS, FRAMES), 1, 2).reshape(len(real), -1)
    return np.clip(np.trunc(by_frame / _EEMBC_SCALE + _EEMBC_ZERO), -128, 127).astype(np.int8)


def _decode_eembc(encoded: np.ndarray) -> np.ndarray:
    by_frame = (encoded.astype(np.float64) - _EEMBC_ZERO) * _EEMBC_SCALE
    return np.swapaxes(by_frame.reshape(-1, FRAMES, COEFFICIENTS), 1, 2).reshape(len(encoded), -1)


def _entry(folder: Path) -> dict[str, Any]:
    """Return what the streamlined graph takes in; `ModelError` unless it is one int8 vector of features."""
    parts = json.loads((folder / "interface.json").read_text())["parts"]
    inputs = [tensor for part in parts.values() for tensor in part["inputs"].values()]
    if (
        len(parts) != 1
        or inputs[0]["shape"] != [1, COEFFICIENTS * FRAMES]
        or not inputs[0]["datatype"].startswith("INT")
    ):
        found = f"{inputs[0]['datatype']} {inputs[0]['shape']}"
        raise ModelError(
            f"The network takes {found}; the benchmark's files hold signed features [1, {COEFFICIENTS * FRAMES}]."
        )
    return inputs[0]


def _names(clips: Clips) -> list[str]:
    return [f"tst_{count:06d}_{CLASSES[label].capitalize()}_{label}.bin" for count, label in enumerate(clips.label)]


def _write(folder: Path, clips: Clips, encoded: np.ndarray) -> None:
    for name, row in zip(_names(clips), encoded):
        (folder / name).write_bytes(row.tobytes())
    lines = [f"{name}, {len(CLASSES)}, {label}" for name, label in zip(_names(clips), clips.label)]
    (folder / "y_labels.csv").write_text("\n".join(lines) + "\n")


def _read(folder: Path, clips: Clips) -> np.ndarray:
    return np.stack([np.frombuffer((folder / name).read_bytes(), np.int8) for name in _names(clips)])


def _by_integers(folder: Path, levels: np.ndarray) -> np.ndarray:
    """Return the classes [n]: the lowest index of the largest logits."""
    graph = Interpreter(read_onnx(folder / "model_finn_streamlined.onnx"))
    (logits,) = graph.run({graph.inputs[0]: levels.astype(np.int64)}).values()
    return np.argmax(integers(logits), axis=1)


def _by_floats(folder: Path, real: np.ndarray) -> np.ndarray:
    model = onnxruntime.InferenceSession(str(folder / "model_qcdq_composed.onnx"), providers=["CPUExecutionProvider"])
    (found,) = model.run(["label"], {model.get_inputs()[0].name: real.astype(np.float32)})
    return found


def _assert_equal(job: Job, clips: Clips, by_integers: np.ndarray, by_floats: np.ndarray) -> None:
    wrong = np.flatnonzero(by_integers != by_floats)
    if len(wrong):
        row = wrong[0]
        raise VerificationError(
            f"{len(wrong)} of {len(clips)} files are classified differently by the integer graph and the float model, "
            "first"
            f" {_names(clips)[row]}: {CLASSES[by_integers[row]]} and {CLASSES[by_floats[row]]}."
        )
    job.verified("benchmark files", len(clips), len(clips))


if __name__ == "__main__":
    raise SystemExit(stage_main("binfiles", run))
