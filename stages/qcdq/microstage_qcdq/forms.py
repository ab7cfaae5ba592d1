"""The two forms of a network: one part from end to end, or three around a recurrent cell. The graph decides which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import onnx

from microstage.stage import Job
from microstage_qcdq.feed_forward import FeedForward
from microstage_qcdq.recurrent import Recurrent

__all__ = ["Form", "form_of"]

_CELL = "QuantLSTMCell"


class Form(Protocol):
    """`parts` by role with the `files` they go to, `ranges` and `units` of their borders, what their tables stand for (`curves`), and one
    model from the real inputs to the real answers."""

    parts: dict[str, onnx.ModelProto]
    files: dict[str, str]
    ranges: dict[str, tuple[int, int]]
    units: Mapping[str, str]
    curves: Mapping[str, Any]
    composed: onnx.ModelProto

    def reference(self, recorded: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Integers of every boundary, running free from the recorded inputs."""

    def prove_further(self, job: Job, reference: Mapping[str, np.ndarray], recorded: Mapping[str, np.ndarray]) -> None:
        """What is not proven boundary by boundary, and what is only reported."""


def form_of(model: onnx.ModelProto, described: Mapping[str, Any]) -> Form:
    """`model` with converted quantisers, in parts; `described` is `model_def.json`."""
    recurrent = any(node.op_type == _CELL for node in model.graph.node)
    return Recurrent(model) if recurrent else FeedForward(model, described)
