"""From a folder of streamlined graphs to a folder of C that passed its self test."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from microstage import golden
from microstage.errors import ArtefactError
from microstage_cbackend.build import Result, compile_and_run, makefile
from microstage_cbackend.chain import Model, chain_of
from microstage_cbackend.emit import Program, emit
from microstage_cbackend.golden import Plan
from microstage_cbackend.graph import read_part
from microstage_cbackend.names import identifier
from microstage_cbackend.passes import optimise
from microstage_cbackend.selftest import selftest

__all__ = ["files_of", "read_model", "verify_and_publish"]

SUFFIX = "_finn_streamlined.onnx"
CARRIED = ("interface.json", "model_def.json", golden.FILE)


def read_model(folder: Path) -> Model:
    """Every `<part>_finn_streamlined.onnx` of `folder` as a program; `ModelError` when one cannot be made into C."""
    graphs = sorted(folder.glob(f"*{SUFFIX}"))
    if not graphs:
        raise ArtefactError(f"{folder} holds no *{SUFFIX}; run `make streamline` first.")
    interface = _json(folder / "interface.json")
    name = identifier(re.sub(r"\W+", "_", _json(folder / "model_def.json").get("model", "model"))).lower()
    parts = []
    for path in graphs:
        part = path.name.removesuffix(SUFFIX)
        facts = interface.get("parts", {}).get(part, interface if len(graphs) == 1 else {})
        parts.append(optimise(read_part(identifier(part), path, facts)))
    return Model(name, parts, interface, chain_of(parts))


def files_of(model: Model, plan: Plan) -> dict[str, bytes]:
    """File name -> bytes of the whole output folder but for what is carried forward."""
    texts = emit(Program(model))
    texts["selftest.c"] = selftest(model, plan)
    kernels = sorted(name.removesuffix(".c") for name in texts if name.startswith("ms_") and name.endswith(".c"))
    texts["Makefile"] = makefile(model.name, kernels)
    return {name: text.encode() for name, text in texts.items()} | {"golden.bin": plan.data()}


def verify_and_publish(model: Model, plan: Plan, source: Path, scratch: Path, output: Path) -> list[Result]:
    """Compile and run the C in `scratch`; only when every integer is equal, write it to `output` with what `source` hands on."""
    files = files_of(model, plan)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for name, data in files.items():
        (scratch / name).write_bytes(data)
    results = compile_and_run(scratch, {name: values.shape[1:] for name, values in plan.boundaries.items()})
    for name, data in files.items():
        (output / name).write_bytes(data)
    for name in CARRIED:
        if (source / name).is_file():
            (output / name).write_bytes((source / name).read_bytes())
    return results


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.is_file() else {}
