"""Turn a folder of streamlined graphs into a folder of C that passed its self test."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microstage.errors import ArtefactError, ParameterError
from microstage.interface import golden
from microstage.interface.c_names import NETWORK_NAMES, is_network_name, network_name, part_name
from microstage.interface.recurrence import Recurrence
from microstage_cbackend.build import FLAGS, SMALL_MACHINE, BoundaryResult, compile_and_run, on_small_machines
from microstage_cbackend.network_file.replay import replay
from microstage_cbackend.network_file.writing.network import written_file
from microstage_cbackend.passes import optimise
from microstage_cbackend.program.model import Model, recurrent_model_of
from microstage_cbackend.read.graph import read_part
from microstage_cbackend.vectors.plan import Plan
from microstage_cbackend.writers.bench import bench
from microstage_cbackend.writers.board import board
from microstage_cbackend.writers.build_files import cmake, makefile
from microstage_cbackend.writers.dispatch import dispatch
from microstage_cbackend.writers.emit import WrittenModel, emit
from microstage_cbackend.writers.features import features_api
from microstage_cbackend.writers.packages import contents, packages
from microstage_cbackend.writers.readme import readme
from microstage_cbackend.writers.real_api import real_api
from microstage_cbackend.writers.selftest import selftest
from microstage_cbackend.writers.stored_constants import arrays_program, kept_in_file
from microstage_cbackend.writers.wav_example import wav_example

__all__ = ["files_of", "graphs_of", "read_model", "verify_and_publish"]

SUFFIX = "_finn_streamlined.onnx"
WIDE = "_integer.onnx"  # of a graph that FINN-ONNX cannot hold
CARRIED = ("interface.json", "model_def.json", golden.FILE)


def read_model(folder: Path, name: str = "") -> Model:
    """Read the graphs of `folder` as programs: those that interface.json lists, else every streamlined graph.

    The network is called `name`, without one as model_def.json does.

    Raises `ModelError` when one cannot be made into C.
    """
    if name and not is_network_name(name):
        raise ParameterError(f"NAME={name} is not allowed: expected {NETWORK_NAMES}.")
    interface = _named(_json(folder / "interface.json"))
    graphs = graphs_of(folder)
    name = name or network_name(_json(folder / "model_def.json").get("model", folder.name))
    parts = []
    for part, path in graphs.items():
        facts = interface.get("parts", {}).get(part, interface if len(graphs) == 1 else {})
        parts.append(optimise(read_part(part, path, facts)))
    return Model(
        name,
        parts,
        interface,
        recurrent_model_of(parts, interface),
        tuple(_json(folder / "model_def.json").get("classes", ())),
    )


def graphs_of(folder: Path) -> dict[str, Path]:
    """Return {part: its graph}."""
    interface = _named(_json(folder / "interface.json"))
    listed = {part: folder / facts["file"] for part, facts in interface.get("parts", {}).items() if "file" in facts}
    streamlined = {part_name(path.name.removesuffix(SUFFIX)): path for path in sorted(folder.glob(f"*{SUFFIX}"))}
    graphs = listed or streamlined
    if not graphs:
        raise ArtefactError(f"{folder} holds no *{SUFFIX}; run `make streamline` first.")
    return graphs


def _named(interface: dict[str, Any]) -> dict[str, Any]:
    """Return the interface with its parts called as their functions are.

    That is `sublstm` for sublstm_finn_streamlined or sublstm_integer.
    """
    names = {
        part: part_name(f"{part}.onnx".removesuffix(SUFFIX).removesuffix(WIDE).removesuffix(".onnx"))
        for part in interface.get("parts", {})
    }
    sequence = Recurrence.of(interface)
    renamed = {"sequence": sequence.renamed(names).described()} if sequence else {}
    return {**interface, "parts": {names[part]: facts for part, facts in interface.get("parts", {}).items()}, **renamed}


def files_of(model: Model, plan: Plan) -> dict[str, bytes]:
    """Return path -> bytes of the whole output folder but for what is carried forward."""
    program = WrittenModel(model)
    real, sound = real_api(program.api, plan.real), features_api(program.api)
    file = written_file(model, {writer.part.name: writer.plan for writer in program.writers}, plan)
    stored = kept_in_file(program.constants, file.spans)
    library = emit(program, stored) | real.files() | (sound.files() if sound else {})
    data = {f"{model.name}.msn": file.data}
    in_data = [*data] if stored else []
    taken = contents(program, [*library, *in_data])
    sources = sorted(name for name in library if name.endswith(".c"))
    versions = dispatch(program)
    chosen = sorted(name for name in versions if name.endswith(".c"))
    headers = _headers(model.name, library)
    texts = library | {
        "test/selftest.c": selftest(program, plan, real, sound),
        "test/bench.c": bench(program, sound),
        "Makefile": makefile(model.name, sources, chosen, taken, in_data),
        "CMakeLists.txt": cmake(model.name, sources, chosen, headers, in_data),
        "README.md": readme(program, real, sound, plan.vectors, bool(stored)),
        "layers.json": json.dumps({w.part.name: w.layers() for w in program.writers}, indent=1, sort_keys=True) + "\n",
        "proofs.json": json.dumps({part.name: part.proven for part in model.parts}, indent=1, sort_keys=True) + "\n",
    }
    texts |= packages(program, taken) | board(program, plan, sound, sources) | wav_example(sound, sources) | versions
    if stored:
        texts["test/arrays.c"] = arrays_program(model.name, program.constants, stored)
    return {name: text.encode() for name, text in texts.items()} | data | {"test/golden.bin": plan.data()}


def _headers(network: str, library: Mapping[str, str]) -> list[str]:
    """Return the headers that a user includes, and what they include."""
    inside = {f"{network}_{what}.h" for what in ("kernels", "small_kernels", "weights", "follow_table")}
    own = {name for name in library if name.startswith(network) and name.endswith(".h")} - inside
    included = {
        name for header in own for name in re.findall(r'^#include "(ms_\w+\.h)"', library[header], re.MULTILINE)
    }
    return sorted(own | included)


def verify_and_publish(model: Model, plan: Plan, source: Path, scratch: Path, output: Path) -> list[BoundaryResult]:
    """Run the C, and the network file, in `scratch`; write them to `output` only when every integer is equal.

    What `source` hands on, interface and golden vectors, is written beside it.
    """
    files = files_of(model, plan)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for name, data in files.items():
        _write(scratch / name, data)
    results = compile_and_run(scratch, plan.shapes())
    if f"{model.name}_small.c" in files:
        results += on_small_machines(compile_and_run(scratch, plan.shapes(), (*FLAGS, SMALL_MACHINE)))
    results += replay(files[f"{model.name}.msn"], model, plan, scratch, None)
    for name, data in files.items():
        _write(output / name, data)
    for name in CARRIED:
        if (source / name).is_file():
            (output / name).write_bytes((source / name).read_bytes())
    return results


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.is_file() else {}
