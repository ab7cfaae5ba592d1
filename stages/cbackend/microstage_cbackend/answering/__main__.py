"""Compare integers with what floats answered, for `make compare`.

python -m microstage_cbackend.answering --in answers=DIR --in streamline=DIR --in cbackend=DIR --out DIR --scratch DIR
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from microstage.errors import ModelError
from microstage.files.canonical import write_json
from microstage.interface import golden
from microstage.stage import Job, stage_main
from microstage_cbackend.answering.executors import CompiledProgram, InterpretedFile, numpy_executor
from microstage_cbackend.answering.figures import figures
from microstage_cbackend.generate import graphs_of, read_model
from microstage_cbackend.program.model import Model

_BATCH = 50


def run(job: Job) -> None:
    """Write `compared.json` of the scores in `answers.npz` and those of the integers for the same inputs."""
    given = golden.load(job.inputs["answers"] / "answers.npz")
    model = _of_one_part(job.inputs["streamline"], job.parameters.get("name", ""))
    (graph,) = graphs_of(job.inputs["streamline"]).values()
    inputs = _channels_last(given["inputs"], model.parts[0].inputs[0].shape[1:])
    written, kind = job.inputs["cbackend"], model.parts[0].inputs[0].ctype
    executors: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "NumPy": numpy_executor(graph),
        "C": CompiledProgram(model, written, job.scratch),
        "interpreter": InterpretedFile(written / f"{model.name}.msn", kind, job.scratch),
    }
    integers = {}
    for name, executor in executors.items():
        parts = np.array_split(inputs, range(_BATCH, len(inputs), _BATCH))
        integers[name] = np.concatenate([executor(part) for part in job.progress(parts, len(parts), name)])
    floats = {"raw": given["raw"], "quantised": given["quantised"]}
    write_json(job.output / "compared.json", figures(given["labels"], floats, integers))


def _of_one_part(folder: Path, name: str) -> Model:
    model = read_model(folder, name)
    if len(model.parts) != 1 or len(model.parts[0].inputs) != 1 or len(model.parts[0].outputs) != 1:
        raise ModelError(f"{model.name} has several parts, inputs or outputs; networks with one of each are compared.")
    return model


def _channels_last(inputs: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return inputs [n, ...] as the graph has them, whose channels may be last."""
    return inputs if inputs.shape[1:] == shape else np.ascontiguousarray(np.moveaxis(inputs, 1, -1))


if __name__ == "__main__":
    raise SystemExit(stage_main("answering", run))
