"""Second step: the artefact's three integer graphs over the windows of a recording."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx

from microstage import golden
from microstage.estimation.files import NETWORK, WINDOWS
from microstage.integer import Interpreter
from microstage.integer.sequence import run_sequence
from microstage.stage import Job, stage_main

__all__ = ["run"]

_PARTS = {"cnn": "subcnn.onnx", "lstm": "sublstm_qcdq.onnx", "mlp": "submlp.onnx"}
_AT_ONCE = 256


def run(job: Job) -> None:
    model, given = job.inputs["model"], golden.load(job.inputs["windows"] / WINDOWS)
    parts = {part: Interpreter(onnx.load(model / file)) for part, file in _PARTS.items()}
    windows = given["window"]
    pieces = [windows[k : k + _AT_ONCE] for k in range(0, len(windows), _AT_ONCE)]
    found = [run_sequence(parts, piece)["harmonics"] for piece in job.progress(pieces, len(pieces), "estimate-file")]
    gain = np.ldexp(1.0, given["exponent"].astype(int))[:, None]
    golden.save(job.output / NETWORK, {"amplitude": np.concatenate(found) * _scale(model) * gain})


def _scale(model: Path) -> np.ndarray:
    """[4]: what one step of each output is, over the gain of the window."""
    interface = json.loads((model / "interface.json").read_text())
    return np.asarray(interface["parts"]["submlp"]["outputs"]["harmonics"]["scale"], np.float64)


if __name__ == "__main__":
    raise SystemExit(stage_main("estimate-file", run))
