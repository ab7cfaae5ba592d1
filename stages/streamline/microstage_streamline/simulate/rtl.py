"""FINN's RTL of its layers under Verilator, in place of the vendor's simulator: all layers of a graph as one program.

FINN packs integers into beats and reads them again; between the two stands a bench that gives the beats to a layer.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from microstage_streamline.simulate.layers import HardwareLayer, in_one_line

__all__ = ["check_rtl", "simulate_rtl"]

_HERE = Path(__file__).parent
_PLAINER = (
    (re.compile(r"@\((posedge \w+) iff ([^()]+)\) begin"), r"@(\1) if(\2) begin"),
    (
        re.compile(r"(\w+) <= \{ (\w+), \1\[0:([^]]+)-1\] \};"),
        r"begin for(int k = \3; k > 0; k--) \1[k] <= \1[k-1]; \1[0] <= \2; end",
    ),
)
"What Verilator 5.006 does not read, and the same in words that it does."
_OPTIONS = ("-Wno-fatal", "-Wno-lint", "-Wno-style", "--no-timing", "+define+FINN_SIMULATION")


class _Packed(Exception):
    """Raised once a layer's input is packed, before there is a simulator to give it to."""


@dataclass
class _Beats:
    """The beats of one layer, in place of a simulator: what goes in by port, and what comes out."""

    layer: HardwareLayer
    into: dict[str, list[int]] = field(default_factory=dict)
    out: list[int] | None = None

    @property
    def ports(self) -> dict[str, int]:
        """Return the width of each port, in whole bytes."""
        op = self.layer.op
        widths = {name: op.get_instream_width(int(name.removeprefix("in"))) for name in self.into}
        return {name: (width + 7) // 8 * 8 for name, width in {**widths, "out0": op.get_outstream_width(0)}.items()}

    @property
    def expected(self) -> int:
        """Count the beats that come out."""
        return int(np.prod(self.layer.op.get_folded_output_shape()[:-1]))

    def write(self) -> None:
        """Write the beats of every port, one a line, hexadecimal."""
        for name, beats in self.into.items():
            (self.layer.folder / f"{name}.hex").write_text("".join(f"{beat:x}\n" for beat in beats))


class _InPlaceOfXsi:
    """What FINN asks of its binding to the vendor's simulator, for `_Beats`."""

    def reset_rtlsim(self, beats: _Beats) -> None:
        """Do nothing: each run begins with a reset."""

    def close_rtlsim(self, beats: _Beats) -> None:
        """Do nothing: a run ends by itself."""

    def rtlsim_multi_io(self, beats: _Beats, streams: Mapping[str, Mapping[str, list[int]]], *_, **__) -> int:
        """Take what FINN has packed, or give it what came out."""
        if beats.out is None:
            beats.into = dict(streams["inputs"])
            raise _Packed
        streams["outputs"]["out0"].extend(beats.out)
        return 0


def check_rtl(layers: Sequence[HardwareLayer], hardware, part: str, clock_ns: float) -> None:
    """Note in each of `layers` why Verilator does not read it, if it does not."""
    for layer in layers:
        if _written(layer, hardware, part, clock_ns):
            top, files = layer.op.get_nodeattr("gen_top_module"), _sources(layer)
            command = ["verilator", "--lint-only", *_OPTIONS, "--top-module", top, *files]
            said = subprocess.run(command, capture_output=True, text=True)
            lines = [line for line in said.stderr.splitlines() if line.startswith("%Error")] or ["it gives no reason"]
            if said.returncode:
                layer.reason = f"Verilator does not read it: {lines[0].split(': ', 2)[-1][:160]}"


def simulate_rtl(
    layers: Sequence[HardwareLayer], hardware, part: str, clock_ns: float, folder: Path
) -> Iterator[HardwareLayer]:
    """Verilate `layers`, run each, note in it what differs or why it cannot run, and yield it."""
    layers_of_finn: Any = import_module("finn.custom_op.fpgadataflow.hwcustomop")
    layers_of_finn.finnxsi = _InPlaceOfXsi()
    written = [layer for layer in layers if _written(layer, hardware, part, clock_ns)]
    for kind in dict.fromkeys(layer.node.op_type for layer in written):
        packed = [_packed(layer) for layer in written if layer.node.op_type == kind]
        for program, alike in _programs(packed, folder / kind):
            for place, beats in enumerate(alike):
                began = time.monotonic()
                if program is not None:
                    _run(program, place, beats)
                if not beats.layer.reason:
                    beats.layer.compare()
                beats.layer.seconds = time.monotonic() - began
                yield beats.layer


def _programs(running: Sequence[_Beats], folder: Path) -> Iterator[tuple[Path | None, Sequence[_Beats]]]:
    """Yield programs and their layers: one of all, or where Verilator gives up, one of each half."""
    said = _built(running, folder)
    if not said:
        yield folder / "obj_dir" / "Vbench", running
    elif len(running) == 1:
        running[0].layer.reason = f"Verilator makes no program of it: {said[:160]}"
        yield None, running
    else:
        middle = len(running) // 2
        for half, side in ((running[:middle], "0"), (running[middle:], "1")):
            yield from _programs(half, folder / side)


def _written(layer: HardwareLayer, hardware, part: str, clock_ns: float) -> bool:
    """Write the Verilog of a layer into its folder; `layer.reason` says why FINN does not."""
    layer.op.set_nodeattr("code_gen_dir_ipgen", str(layer.folder))
    layer.op.set_nodeattr("exec_mode", "rtlsim")
    try:
        layer.op.code_generation_ipgen(hardware, part, clock_ns)
    except Exception as error:  # FINN asserts what it expects, and raises whatever NumPy does
        layer.reason = f"FINN writes no RTL of it: {in_one_line(error)}"
    return not layer.reason


def _packed(layer: HardwareLayer) -> _Beats:
    """Return the beats of a layer, written into its folder."""
    beats = _Beats(layer)
    layer.op.get_rtlsim = lambda: beats
    try:
        layer.compare()
    except _Packed:
        beats.write()
    return beats


def _sources(layer: HardwareLayer) -> list[str]:
    """Return the files of a layer, in words that Verilator reads."""
    found = []
    for path in map(Path, layer.op.get_rtl_file_list(abspath=True)):
        text = plain = path.read_text()
        for pattern, words in _PLAINER:
            plain = pattern.sub(words, plain)
        if plain != text:
            path = layer.folder / path.name
            path.write_text(plain)
        found.append(str(path))
    return found


def _built(running: Sequence[_Beats], folder: Path) -> str:
    """Make the program of `running`, whose argument chooses a layer; return what is wrong, if anything is."""
    folder.mkdir(parents=True)
    own = dict.fromkeys(path for beats in running for path in _sources(beats.layer))
    files = {Path(path).name: path for path in own}.values()  # each of FINN's once
    packages = [path for path in files if path.endswith("_pkg.sv")]
    (folder / "bench.sv").write_text(_bench(running))
    sources = [*packages, *(path for path in files if path not in packages), str(_HERE / "streams.sv"), "bench.sv"]
    command = ["verilator", "--cc", "--exe", "--build", *_OPTIONS, "-CFLAGS", "-O1", "--top-module", "bench"]
    made = subprocess.run([*command, *sources, str(_HERE / "bench.cpp")], cwd=folder, capture_output=True, text=True)
    wrong = [line for line in (made.stderr + made.stdout).splitlines() if "rror" in line]
    return (wrong[0] if wrong else "it gives no reason") if made.returncode else ""


def _bench(running: Sequence[_Beats]) -> str:
    """Return the module that has every layer between sources of its beats and a sink."""
    lines = [
        "module bench(input clk, input rst_n, input int layer, output done);",
        f"    wire [{len(running) - 1}:0] all;",
    ]
    for place, beats in enumerate(running):
        chosen, top, pins = f"(layer == {place})", beats.layer.op.get_nodeattr("gen_top_module"), []
        for port, width in beats.ports.items():
            wire = f"l{place}_{port}"
            lines.append(f"    wire [{width - 1}:0] {wire}_d; wire {wire}_v, {wire}_r;")
            pins += [f".{port}_V_T{end}({wire}_{end[0].lower()})" for end in ("DATA", "VALID", "READY")]
            size = f'#(.WIDTH({width}), .COUNT({len(beats.into.get(port, ())) or beats.expected}), .FILE("{port}.hex"))'
            more = f", .done(all[{place}])" if port == "out0" else ""
            lines.append(
                f"    {'sink' if port == 'out0' else 'source'} {size} {wire} (.clk, .rst_n, .chosen({chosen}),"
                f" .data({wire}_d), .valid({wire}_v), .ready({wire}_r){more});"
            )
        clocks = [".ap_clk(clk)", ".ap_rst_n(rst_n)", *([".ap_clk2x(clk)"] if "in1" in beats.into else [])]
        lines.append(f"    {top} l{place} ({', '.join([*clocks, *pins])});")
    return "\n".join([*lines, "    assign done = all[layer];", "endmodule", ""])


def _run(program: Path, place: int, beats: _Beats) -> None:
    """Run one layer in its folder, where its constants lie, and read what came out."""
    folder = beats.layer.folder
    said = subprocess.run([str(program), str(place)], cwd=folder, capture_output=True, text=True, timeout=3600)
    if said.returncode:
        beats.layer.reason = "it gave fewer beats than it should"
        return
    beats.out = [int(line, 16) for line in (folder / "out0.hex").read_text().split()]
