"""A network around one LSTM: what comes before it, one step of it, and what reads its last output."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from microstage.stage import Job
from microstage_qcdq import proof
from microstage_qcdq.border import border_ranges
from microstage_qcdq.compose import compose
from microstage_qcdq.reference import run_recurrent
from microstage_qcdq.split import split_at_lstm

__all__ = ["Recurrent"]


class Recurrent:
    files = {"cnn": "subcnn.onnx", "lstm": "sublstm_qcdq.onnx", "mlp": "submlp.onnx"}
    # The ends of the chain are amplitudes over the window's gain; everything between is a plain number.
    units = {name: "2^exponent of the window, in the recording's unit" for name in ("window", "harmonics")}

    def __init__(self, model: onnx.ModelProto) -> None:
        self.parts, self.curves = split_at_lstm(model)
        self.ranges = border_ranges(self.parts)
        self.composed = compose(self.parts)

    def reference(self, recorded: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return run_recurrent(self.parts, recorded["window"])

    def prove_further(self, job: Job, reference: Mapping[str, np.ndarray], recorded: Mapping[str, np.ndarray]) -> None:
        proof.from_any_state(job, self.parts)
        proof.report_free_running(job, self.composed, self.parts, reference, recorded)
