"""Bit-exactness beyond the golden vectors: random ones, two compilers, every optimisation level, sanitizers.

    python tests/cbackend/prove.py FOLDER [VECTORS]

FOLDER is what the stage reads (streamlined graphs or QCDQ). Random inputs and the ends of every range go through the
integer reference, batch by batch, and then through the C as compiled by gcc and clang at -O0 to -O3 and with the
address and undefined-behaviour sanitizers. Prints one line per compilation.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from microstage import golden
from microstage.integer import Interpreter
from microstage.integer.sequence import run_sequence
from microstage.onnx_file import read_onnx
from microstage_cbackend.build import FLAGS, compile_and_run
from microstage_cbackend.chain import Model
from microstage_cbackend.generate import files_of, graphs_of, read_model
from microstage_cbackend.golden import Plan, make_plan

BATCH = 50
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FORMS = [(c, (level,)) for c in ("gcc", "clang") for level in ("-O0", "-O1", "-O2", "-O3")]
FORMS += [("gcc", ("-O1", *SANITIZERS)), ("clang", ("-O1", *SANITIZERS)), ("gcc", ("-O3", "-march=native")), ("clang", ("-O3", "-march=native"))]
FORMS += [("gcc", ("-O3", "-mavx2")), ("gcc", ("-O1", "-march=native", *SANITIZERS))]


def random_vectors(model: Model, folder: Path, count: int) -> dict[str, np.ndarray]:
    """Boundaries of `count` random inputs and the ends of the range, by the integer reference on the graphs themselves."""
    interpreters = {name: Interpreter(read_onnx(path)) for name, path in graphs_of(folder).items()}
    first = model.chain.encoder if model.chain else model.parts[0]
    random, found = np.random.default_rng(7), []
    for start in range(0, count, BATCH):
        feeds = {}
        for t in first.inputs:
            values = random.integers(t.low, t.high + 1, (min(BATCH, count - start), *t.shape[1:]))
            if start == 0:
                values[0], values[1] = t.low, t.high
            feeds[t.name] = values
        found.append(_reference(model, interpreters, feeds))
    return {name: np.concatenate([f[name] for f in found]) for name in found[0]}


def _reference(model: Model, interpreters: dict[str, Interpreter], feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if model.chain:
        windows = next(iter(feeds.values()))
        names = (model.chain.encoder.name, model.chain.cell.name, model.chain.head.name)
        parts = dict(zip(("cnn", "lstm", "mlp"), (interpreters[n] for n in names)))
        return {"window": windows[:, 0], **run_sequence(parts, windows[:, 0].astype(np.int8))}
    (interpreter,) = interpreters.values()
    steps = interpreter.run({n: v.astype(np.uint8 if v.max() > 127 else np.int8) for n, v in feeds.items()})
    return {**feeds, **{n: np.asarray(getattr(v, "ints", v)).astype(np.int64) for n, v in steps.items()}}


def prove(folder: Path, count: int) -> None:
    model = read_model(folder)
    vectors = random_vectors(model, folder, count)
    plans: dict[str, Plan] = {f"{count} random": make_plan(model, vectors)}
    if (folder / golden.FILE).is_file():
        plans["golden"] = make_plan(model, golden.load(folder / golden.FILE))
    for what, plan in plans.items():
        files, shapes = files_of(model, plan), {n: v.shape[1:] for n, v in plan.boundaries.items()}
        for compiler, flags in FORMS if what != "golden" else FORMS[:8]:
            with tempfile.TemporaryDirectory() as scratch:
                for name, data in files.items():
                    if "/" not in name:
                        (Path(scratch) / name).write_bytes(data)
                results = compile_and_run(Path(scratch), shapes, (*FLAGS[:1], *FLAGS[2:], *flags), compiler)
            compared = sum(r.compared for r in results)
            print(f"{model.name}: {what} vectors, {compiler} {' '.join(flags)}: {compared} integers, all equal", flush=True)


if __name__ == "__main__":
    for compiler in ("gcc", "clang"):
        if not shutil.which(compiler):
            raise SystemExit(f"{compiler} is not installed; apt-get install {compiler} mends it.")
    prove(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10000)
