"""Write README.md of the folder: what is in it, what the beats are, and how a frame runs."""

from __future__ import annotations

from microstage.interface.gain import EXPONENT
from microstage_rtl.program.cycles import frame_cycles
from microstage_rtl.program.program import MachineProgram, StreamPort
from microstage_rtl.program.widths import Widths

__all__ = ["readme"]


def readme(name: str, program: MachineProgram) -> str:
    """Return the text for the network `name`."""
    widths = Widths(program)
    parameters = widths.parameters
    cycles = frame_cycles(program)
    return f"""\
# {name}: integers in, integers out, in SystemVerilog

`{name}.sv` is the network: the machine of `ms_machine.sv` with this network's widths. `files.f` lists the sources in
the order in which they are read; the memories are `*.hex`, which simulators and synthesis look for in the folder that
they run in. Nothing here belongs to a vendor. yosys reads the sources with `read_verilog -sv -defer`.

    yosys -p "read_verilog -sv -defer $(tr '\\n' ' ' < files.f); synth_ecp5 -top {name}"

## The streams

Both are AXI-Stream, one integer a beat: two's complement, its sign in all bits above it. A frame is all beats up to
`tlast`. A frame of another length is dropped whole, and the next one begins behind its `tlast`. `rst_n` is low at a
rising edge of `clk` to reset.

{_tuser(program)}

In (`s_axis_tdata`, {parameters["IN_WIDTH"]} bits):

{_table(program.inputs)}
Out (`m_axis_tdata`, {parameters["OUT_WIDTH"]} bits):

{_table(program.outputs)}
`ports.json` says the same to programs. Where neither stream waits, there is a frame every {cycles:,} clocks, during
which the machine takes no beat of the next one until the last beat of the answer is taken.
{_exponent(program)}
## What is inside

{program.lanes} multiply-accumulate lanes: one activation a clock meets a weight of each. `program.json` lists the
layers with their clocks, and the bits of each memory:

{_memories(widths)}
`vectors/input.txt` has a beat a line, `tuser tlast data`, and `vectors/expected.txt` what comes out, `tlast data`.
"""


def _tuser(program: MachineProgram) -> str:
    if not program.states:
        return "The network has no states from frame to frame; `tuser` is ignored."
    return (
        f"These states stay in the machine from frame to frame: {', '.join(program.states)}.\n"
        "`tuser` on the first beat of a frame starts a sequence, for which they are zero; so does the first frame after"
        " a reset,\nand the one behind a dropped frame that was to start one."
    )


def _exponent(program: MachineProgram) -> str:
    if EXPONENT not in (port.name for port in program.inputs):
        return ""
    return f"""
`{EXPONENT}` is the exponent of the power of two that the window's samples were divided by.
Between two frames of a sequence the machine turns and rescales its states by the difference to the exponent before, as
`microstage.signals.settle` and `ms_settle.h` do.
"""


def _table(ports: list[StreamPort]) -> str:
    rows = ["| beats | tensor | shape | from | to |", "|---|---|---|---|---|"]
    first = 0
    for port in ports:
        shape = " x ".join(map(str, port.shape))
        rows.append(f"| {first}..{first + port.beats - 1} | {port.name} | {shape} | {port.low} | {port.high} |")
        first += port.beats
    return "\n".join(rows) + "\n"


def _memories(widths: Widths) -> str:
    rows = [f"| {name} | {bits:,} |" for name, bits in widths.memory_bits().items() if bits]
    return "\n".join(["| memory | bits |", "|---|---|", *rows]) + "\n"
