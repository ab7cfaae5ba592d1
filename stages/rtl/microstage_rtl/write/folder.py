"""Write the folder `rtl/` of a program: one module of its name, the machine's modules, and the memories' words."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import numpy as np

from microstage.files.canonical import write_json
from microstage_rtl.program.cycles import frame_cycles, layer_cycles
from microstage_rtl.program.program import MachineProgram
from microstage_rtl.program.widths import Widths, signed_bits
from microstage_rtl.program.words import Fields
from microstage_rtl.write.readme import readme

__all__ = ["CORE", "write_folder"]

CORE = (
    "ms_rom_bank ms_rom ms_ram ms_counter ms_loops ms_layer ms_sequencer ms_lane ms_macs ms_rescale ms_elements"
    " ms_drain ms_search ms_multiply ms_requantise ms_stream_out ms_machine"
).split()
"The machine's modules, in the order in which they are read."


def write_folder(folder: Path, name: str, program: MachineProgram) -> None:
    """Write everything but vectors to `folder`; equal programs give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    widths = Widths(program)
    for module in CORE:
        source = resources.files("microstage_rtl").joinpath("core", f"{module}.sv")
        with resources.as_file(source) as path:
            shutil.copyfile(path, folder / f"{module}.sv")
    (folder / "files.f").write_text("".join(f"{module}.sv\n" for module in [*CORE, name]))
    (folder / f"{name}.sv").write_text(_top(name, widths))
    _memories(folder, program, widths)
    write_json(folder / "ports.json", _ports(program, widths))
    write_json(folder / "program.json", _described(program, widths))
    (folder / "README.md").write_text(readme(name, program))


def _top(name: str, widths: Widths) -> str:
    """Return the module that has the network's widths, and the machine with them."""
    p = widths.parameters
    shifts = "".join(f"8'd{shift}, " for shift in widths.shifts[::-1])[:-2]
    loops = ", ".join(f"8'd{bits}" for bits in widths.loop_bits[::-1])
    rows = [f".{key}({value})" for key, value in p.items() if key not in ("IN_WIDTH", "OUT_WIDTH")]
    rows += [f".SHIFT({{{shifts}}})", f".LOOP_BITS({{{loops}}})", f".KINDS(8'd{widths.kinds})"]
    rows += [".IN_WIDTH(IN_WIDTH)", ".OUT_WIDTH(OUT_WIDTH)"]
    ports = "clk rst_n s_axis_tdata s_axis_tvalid s_axis_tready s_axis_tlast s_axis_tuser".split()
    ports += "m_axis_tdata m_axis_tvalid m_axis_tready m_axis_tlast".split()
    return f"""\
// The network {name}: the machine of ms_machine.sv, as wide as this network needs it.
// ports.json says what the beats of the streams are.
module {name} #(
    parameter int IN_WIDTH = {p["IN_WIDTH"]},
    parameter int OUT_WIDTH = {p["OUT_WIDTH"]}
) (
    input  logic                 clk,
    input  logic                 rst_n,
    input  logic [IN_WIDTH-1:0]  s_axis_tdata,
    input  logic                 s_axis_tvalid,
    output logic                 s_axis_tready,
    input  logic                 s_axis_tlast,
    input  logic                 s_axis_tuser,
    output logic [OUT_WIDTH-1:0] m_axis_tdata,
    output logic                 m_axis_tvalid,
    input  logic                 m_axis_tready,
    output logic                 m_axis_tlast
);
    ms_machine #(
        {_wrapped(rows)}
    ) machine (
        {_wrapped([f".{port}" for port in ports])}
    );
endmodule
"""


def _wrapped(parts: list[str]) -> str:
    """Return `parts` with commas between them, in lines of at most 110 columns behind an indent of 8."""
    lines = [""]
    for index, part in enumerate(parts):
        text = part + ("," if index < len(parts) - 1 else "")
        if lines[-1] and len(lines[-1]) + len(text) > 100:
            lines.append("")
        lines[-1] += f" {text}" if lines[-1] else text
    return "\n        ".join(lines)


def _memories(folder: Path, program: MachineProgram, widths: Widths) -> None:
    p, fields = widths.parameters, Fields(program)
    weights = (program.weights < 0).astype(np.int64) if p["WEIGHT_BITS"] == 1 else program.weights
    _hex(folder, "weights", p["WEIGHT_BANK"], [p["WEIGHT_BITS"]] * p["LANES"], weights[:, ::-1])
    constants = np.stack([program.multipliers, program.offsets], axis=1)
    _hex(folder, "rows", p["ROW_BANK"], [p["MULTIPLIER_BITS"], p["OFFSET_BITS"]], constants)
    if p["HALVINGS"]:
        _hex(folder, "thresholds", p["TABLE_BANK"], [p["THRESHOLD_BITS"]], program.thresholds[:, None])
    if p["VALUES"]:
        _hex(folder, "values", p["VALUES_BANK"], [p["BITS"]], program.values[:, None])
    words = np.array([fields.of(layer) for layer in program.layers]).reshape(-1, 1)
    _hex(folder, "program", p["PROGRAM_BANK"], [p["WORD_BITS"]], words)


def _hex(folder: Path, name: str, bank: int, widths: list[int], rows: Iterable[np.ndarray]) -> None:
    """Write the rows of a memory, the first column in the highest bits, as one file for each bank."""
    digits = -(-sum(widths) // 4)
    lines = []
    for row in rows:
        word = 0
        for value, width in zip(row.tolist(), widths):
            word = word << width | value & (1 << width) - 1
        lines.append(f"{word:0{digits}x}\n")
    for index, first in enumerate(range(0, len(lines), bank)):
        (folder / f"{name}_{chr(97 + index)}.hex").write_text("".join(lines[first : first + bank]))


def _described(program: MachineProgram, widths: Widths) -> dict:
    """Return layers with their clocks in a frame within a sequence, and the bits of each memory."""
    layers = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "cycles": cycles,
            "channels": layer.channels,
            "depth": layer.depth,
        }
        for layer, cycles in zip(program.layers, layer_cycles(program))
    ]
    return {
        "lanes": program.lanes,
        "cycles": frame_cycles(program),
        "layers": layers,
        "memory_bits": widths.memory_bits(),
        "states": program.states,
    }


def _ports(program: MachineProgram, widths: Widths) -> dict:
    """Return what the beats of a frame are, in their order."""
    sides = {"inputs": (program.inputs, "IN_WIDTH"), "outputs": (program.outputs, "OUT_WIDTH")}
    return {
        side: [
            {
                "name": port.name,
                "beats": port.beats,
                "width": widths.parameters[width],
                "datatype": f"INT{signed_bits(port.low, port.high)}",
                "range": [port.low, port.high],
                "shape": list(port.shape),
                "order": "row-major",
            }
            for port in ports
        ]
        for side, (ports, width) in sides.items()
    }
