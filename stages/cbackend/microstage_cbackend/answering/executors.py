"""Networks of one part as functions from many inputs [n, ...] to their scores [n, classes], both integers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from microstage.errors import MicrostageError
from microstage.integer.interpreter import Interpreter
from microstage_cbackend.build import compiled
from microstage_cbackend.interpreter.building import compile_interpreter
from microstage_cbackend.program.model import Model

__all__ = ["CompiledProgram", "InterpretedFile", "numpy_executor"]

_FLAGS = ("-std=c99", "-O2", "-march=native")


def numpy_executor(graph: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the NumPy reference of a streamlined graph."""
    reference = Interpreter(onnx.load(str(graph)))
    (given,), (answer,) = reference.inputs, reference.outputs

    def scores(inputs: np.ndarray) -> np.ndarray:
        found = reference.run({given: inputs.astype(np.int64)})[answer]
        return np.asarray(found).reshape(len(inputs), -1)

    return scores


class CompiledProgram:
    """The C of `folder`, compiled with a main function that reads inputs from its standard input and writes scores."""

    def __init__(self, model: Model, folder: Path, scratch: Path) -> None:
        (part,) = model.parts
        self.given, self.answer = part.inputs[0], part.outputs[0]
        build = scratch / "build"
        build.mkdir(parents=True, exist_ok=True)
        (build / "answers.c").write_text(_main(model))
        sources = ["answers.c", *sorted(str(path.resolve()) for path in folder.glob("*.c"))]
        compiled(build, "answers", sources, (f"-I{folder.resolve()}", *_FLAGS), "gcc")
        self.program = (build / "answers").resolve()

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        octets = inputs.astype(self.given.ctype.removesuffix("_t")).tobytes()
        done = subprocess.run([str(self.program)], input=octets, capture_output=True, check=False)
        if done.returncode:
            raise MicrostageError(f"The C refused an input that the network takes: code {done.returncode}.")
        return np.frombuffer(done.stdout, self.answer.ctype.removesuffix("_t")).reshape(len(inputs), -1)


class InterpretedFile:
    """The network file `path`, whose inputs are of type `kind`, and the interpreter, compiled in `scratch`."""

    def __init__(self, path: Path, kind: str, scratch: Path) -> None:
        self.path, self.kind, self.folder = path.resolve(), kind.removesuffix("_t"), scratch.resolve()
        self.program = compile_interpreter(self.folder / "microstage-run", ("-O2",))

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        given, answer = self.folder / "inputs.npy", self.folder / "scores.npy"
        np.save(given, inputs.astype(self.kind))
        command = [str(self.program), str(self.path), str(given), "--output", str(answer)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MicrostageError(f"The interpreter ended with code {done.returncode}: {done.stderr.strip()[-500:]}")
        return np.load(answer, allow_pickle=False).reshape(len(inputs), -1)


def _main(model: Model) -> str:
    (part,) = model.parts
    given, answer = part.inputs[0], part.outputs[0]
    name = model.name
    return f"""#include <stdio.h>
#include "{name}.h"
static {name}_arena arena;
static {given.ctype} given[{given.size}];
static {answer.ctype} answer[{answer.size}];
int main(void) {{
    const {name}_ctx ctx = {{&arena}};
    while (fread(given, sizeof given, 1, stdin) == 1) {{
        if ({name}_infer(&ctx, given, answer) != 0) {{ return 1; }}
        fwrite(answer, sizeof answer, 1, stdout);
    }}
    return 0;
}}
"""
