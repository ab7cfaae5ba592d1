"""Write the folder with which FINN builds an integer graph, beside that graph."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from qonnx.core.datatype import DataType
from qonnx.custom_op.registry import getCustomOp

from microstage.errors import ModelError
from microstage.files.canonical import write_json
from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage.stage import Job
from microstage_streamline.finn.estimate import Built
from microstage_streamline.finn.folding import extracted
from microstage_streamline.finn.hardware import minimises
from microstage_streamline.hand_over.ports import Port, ports_of
from microstage_streamline.write.save import save

__all__ = ["FOLDER", "hand_over"]

FOLDER = "finn"
_OF_SIGNS = ("MVAU_hls", "VVAU_hls")
_SCRIPT = Path(__file__).parent / "build.py"


def hand_over(job: Job, file: str, built: Built, fed: Mapping[str, np.ndarray]) -> None:
    """Write `finn/<part>/` beside the graph `file`; say why not where FINN's builder cannot build it.

    `fed` are golden vectors {input: integers [n, ...]} as `built.model` takes them.
    """
    name = file.removesuffix("_finn_streamlined")
    try:
        _assert_built_whole(built)
        ports = ports_of(built)
    except ModelError as error:
        job.log(f"streamline: {name} has no folder for FINN's builder: {error}")
        return
    folder = job.output / FOLDER / name
    folder.mkdir(parents=True)
    shutil.copyfile(_SCRIPT, folder / _SCRIPT.name)
    said = {what: job.parameters[what] for what in ("fpga_part", "clk_ns")}
    graph = _graph(job.output / f"{file}.onnx", built, folder)
    write_json(folder / "build.json", {**said, "model": graph, "minimize_bit_width": minimises(built.model)})
    write_json(folder / "folding.json", extracted(built.layers))
    write_json(folder / "ports.json", {side: [port.described() for port in found] for side, found in ports.items()})
    _write_vectors(folder, built, [*ports["inputs"], *ports["outputs"]], fed)


def _assert_built_whole(built: Built) -> None:
    """Raise `ModelError` for a graph of which FINN's builder makes something else than its layers, or nothing."""
    if built.partition.bypassed:
        raise ModelError(f"it stops at {built.partition.bypassed[0]}, between layers of its own")
    for tensor in built.layers.get_all_tensor_names():
        if len(built.layers.find_consumers(tensor)) > 1:
            raise ModelError(f"several layers read {tensor}, and of a graph's inputs it forks the first alone")
    for node in built.layers.graph.node:
        if node.op_type in _OF_SIGNS and not getCustomOp(node).get_nodeattr("binaryXnorMode"):
            bits = [name for name in node.input[:2] if built.layers.get_tensor_datatype(name) == DataType["BINARY"]]
            if bits:
                raise ModelError(f"FINN writes no C++ of {node.op_type} for {bits[0]}, whose bits are 0 and 1")


def _graph(beside: Path, built: Built, folder: Path) -> str:
    """Return where the graph is, from `folder`: beside it, or inside, where streams lie in another order than there."""
    own = folder / "model.onnx"
    save(built.model, own)
    if own.read_bytes() != beside.read_bytes():
        return own.name
    own.unlink()
    return f"../../{beside.name}"


def _write_vectors(folder: Path, built: Built, ports: list[Port], fed: Mapping[str, np.ndarray]) -> None:
    found = Interpreter(built.model.model).run(fed, [port.tensor for port in ports if port.tensor not in fed])
    for port in ports:
        values = fed[port.tensor] if port.tensor in fed else integers(found[port.tensor])
        np.save(folder / port.file, values.reshape(-1, *port.shape[1:]).astype(np.float32))
