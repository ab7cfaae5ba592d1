"""Second step: the artefact's integer graphs over the windows of a recording."""

from __future__ import annotations

import json

import numpy as np
import onnx

from microstage import golden
from microstage.errors import ArtefactError
from microstage.estimation.files import NETWORK, WINDOWS
from microstage.integer import Interpreter
from microstage.integer.sequence import run_sequence
from microstage.roles import Gain, Sequence
from microstage.stage import Job, stage_main

__all__ = ["run"]

_AT_ONCE = 256


def run(job: Job) -> None:
    model, given = job.inputs["model"], golden.load(job.inputs["windows"] / WINDOWS)
    interface = json.loads((model / "interface.json").read_text())
    sequence, gain = Sequence.read(interface), Gain.read(interface)
    if sequence is None or gain is None:
        raise ArtefactError(f"{model} is no network of windows with a gain; estimate-file needs one.")
    parts = {part: Interpreter(onnx.load(model / interface["parts"][part]["file"])) for part in sequence.parts}
    windows, answer = given["window"], next(iter(gain.outputs))
    pieces = [windows[k : k + _AT_ONCE] for k in range(0, len(windows), _AT_ONCE)]
    pieces = job.progress(pieces, len(pieces), "estimate-file")
    found = [run_sequence(sequence, parts, {gain.window: piece})[answer] for piece in pieces]
    scale = np.asarray(interface["parts"][sequence.head]["outputs"][answer]["scale"], np.float64)
    factor = np.ldexp(1.0, given["exponent"].astype(int))[:, None]
    golden.save(job.output / NETWORK, {"amplitude": np.concatenate(found) * scale * factor})


if __name__ == "__main__":
    raise SystemExit(stage_main("estimate-file", run))
