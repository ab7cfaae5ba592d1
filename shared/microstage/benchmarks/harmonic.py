"""The harmonic network, from artefacts of the pipeline: window to amplitudes, the recurrent cell stepped over the whole sequence.

onnxruntime runs the composed model that the qcdq stage wrote for it (a Scan over the cell); ours is the C of the cbackend stage.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microstage import golden
from microstage.benchmarks.agreement import Agreement, distance, outputs
from microstage.benchmarks.contest import Contestant, ours_of
from microstage.errors import ArtefactError, VerificationError

__all__ = ["COMPOSED", "Artefacts", "prepare_harmonic_ours", "prepare_harmonic_rival"]

_COMPARED = 256
COMPOSED = "model_qcdq_composed.onnx"


@dataclass(frozen=True)
class Artefacts:
    """Folders of one run of the pipeline."""

    qcdq: Path
    cbackend: Path

    def definition(self) -> dict[str, int]:
        """`multiply_accumulates`, `weights` and the rest of model_def.json."""
        return json.loads((self.qcdq / "model_def.json").read_text())

    def vectors(self) -> dict[str, np.ndarray]:
        """The first golden vectors."""
        return {name: values[:_COMPARED] for name, values in golden.load(self.qcdq / golden.FILE).items()}


class Composed:
    """A `runtimes.Runtime` whose answers are turned back into the integers of the last sum."""

    def __init__(self, artefacts: Artefacts) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        path = artefacts.qcdq / COMPOSED
        if not path.is_file():
            raise ArtefactError(f"{artefacts.qcdq} holds no {COMPOSED}; run `make qcdq` again.")
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.binding, self.scales = session.io_binding(), _scales(artefacts)
        self.input = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, artefacts.definition()["samples"]), np.float32))
        self.binding.bind_ortvalue_input(session.get_inputs()[0].name, self.input)
        self.binding.bind_output(session.get_outputs()[0].name)
        self.exponent = 0
        self.call: Callable[[], object] = lambda: session.run_with_iobinding(self.binding)

    def put(self, inputs: Mapping[str, np.ndarray]) -> None:
        self.input.update_inplace(inputs["waveform"])
        self.exponent = int(inputs["gain_exponent"][0])

    def get(self) -> np.ndarray:
        amplitudes = self.binding.copy_outputs_to_cpu()[0].astype(np.float64)
        return np.rint(amplitudes / 2.0**self.exponent / self.scales).astype(np.int64)


def prepare_harmonic_rival(artefacts: Artefacts) -> dict[str, Contestant]:
    """onnxruntime; reported, for it sums in float32 and its cell carries a difference of one level on."""
    runtime, vectors = Composed(artefacts), artefacts.vectors()
    found = outputs(runtime, {name: vectors[name] for name in ("waveform", "gain_exponent")})
    return {"onnxruntime composed": Contestant(runtime, None, distance(found, vectors["harmonics"]))}


def prepare_harmonic_ours(artefacts: Artefacts, scratch: Path) -> dict[str, Contestant]:
    """The C in every variant, equal to the reference to the bit."""
    vectors, found = artefacts.vectors(), {}
    for name, runtime in ours_of(artefacts.cbackend, scratch).items():
        whole: Agreement = distance(outputs(runtime, {"window": vectors["window"]}), vectors["harmonics"])
        if whole.different:
            raise VerificationError(f"Our {name} of harmonic is not the reference: {whole}.")
        found[name] = Contestant(runtime, None, whole)
    return found


def _scales(artefacts: Artefacts) -> np.ndarray:
    interface = json.loads((artefacts.qcdq / "interface.json").read_text())
    return np.asarray(interface["parts"]["submlp"]["outputs"]["harmonics"]["scale"], np.float64)
