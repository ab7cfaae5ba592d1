"""A network on CMSIS-NN as a firmware that is measured like ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from microstage.errors import ModelError
from microstage_bench.cmsis_nn.layers import read
from microstage_bench.cmsis_nn.writing import write_network
from microstage_bench.emulators import Machine
from microstage_bench.ends import converted
from microstage_bench.footprint.firmware import Build, Firmware, compiled
from microstage_bench.footprint.vectors import COUNT
from microstage_bench.outputs_agree import outputs
from microstage_bench.runtimes import TfLiteMicro
from microstage_bench.subject import Subject
from microstage_bench.tflite_file import without_softmax

__all__ = ["CmsisNn", "form_of", "on_cmsis_nn"]

_OTHER_TYPES = {"s4", "s16", "f16", "f32", "flt", "s64"}
_WITH_DSP, _WITH_VECTORS = ("cortex-m4", "cortex-m7", "cortex-m33"), ("cortex-m55",)


def form_of(machine: Machine) -> str:
    """Return which of the library's kernels a machine has."""
    return "_dsp" if machine.name in _WITH_DSP else "_mve" if machine.name in _WITH_VECTORS else ""


@dataclass(frozen=True)
class CmsisNn:
    """The library in a user's folder; what is compiled of it is kept in `scratch`."""

    root: Path
    scratch: Path

    @property
    def includes(self) -> Path:
        return self.root / "Include"

    def objects(self, build: Build) -> Sequence[Path]:
        """Compile what int8 networks may call; return the objects."""
        folder = self.scratch / str(build).replace(" ", "")
        files = sorted(self.root.glob("Source/*Functions/*.c"))
        chosen = [path for path in files if "s8" in (of := path.stem.split("_")) or not _OTHER_TYPES & {*of}]
        made = [folder / f"{path.stem}.o" for path in chosen]
        return made if folder.exists() else compiled(build, chosen, (f"-I{self.includes}",), folder)


@contextmanager
def on_cmsis_nn(subject: Subject, library: CmsisNn, form: str) -> Iterator[Firmware]:
    """Yield the firmware of a subject's .tflite file; it has to answer what TFLite Micro answers."""
    if subject.tflite_file is None:
        raise ModelError(f"{subject.name} has no .tflite file, from which its layers are taken; TFLITE= names one.")
    file = without_softmax(subject.tflite_file.content)
    with TemporaryDirectory(prefix="microstage-cmsis-nn.") as scratch:
        folder = Path(scratch) / "c"
        folder.mkdir()
        write_network(read(file), library.root, form, folder)
        yield Firmware(folder, "infer", Path(scratch), _vectors(subject, file), library)


def _vectors(subject: Subject, file: bytes) -> bytes:
    """Return what goes in and has to come out: inputs like those of the C, answered by TFLite Micro."""
    runtime, vectors = TfLiteMicro(file), subject.vectors
    rows = np.linspace(0, len(vectors.inputs[0]) - 1, COUNT).astype(int)
    inputs = converted([values[rows] for values in vectors.inputs], vectors.taken, runtime.inputs)
    answers = outputs(runtime, inputs)
    return b"".join(taken.tobytes() + given.tobytes() for taken, given in zip(inputs[0], answers[0]))
