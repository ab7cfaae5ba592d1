"""The FPGAs that DEVICE= names: how each is synthesised and placed, and what it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["DEVICES", "ECP5", "Device"]


@dataclass(frozen=True)
class Device:
    """One FPGA: its name, yosys' command, what each cell of a netlist takes of it, and what it has of that.

    `place` are the words that tell nextpnr which device it is; none where nextpnr has no such family. `serial`: it has
    too few pins for streams of whole words.
    """

    name: str
    family: str
    synthesis: str
    takes: Mapping[str, tuple[str, float]]
    has: Mapping[str, int] = field(default_factory=dict)
    place: tuple[str, ...] = ()
    serial: bool = False


ECP5 = "synth_ecp5 -top {top}"
_ECP5_CELLS = {
    "LUT4": ("LUT4", 1),
    "CCU2C": ("LUT4", 2),
    "TRELLIS_DPR16X4": ("LUT4", 4),
    "TRELLIS_FF": ("flip-flops", 1),
    "DP16KD": ("block RAM of 18 kbit", 1),
    "MULT18X18D": ("multipliers of 18 x 18", 1),
}
_UP5K_CELLS = {
    "SB_LUT4": ("LUT4", 1),
    "SB_DFF*": ("flip-flops", 1),
    "SB_RAM40_4K*": ("block RAM of 4 kbit", 1),
    "SB_SPRAM256KA": ("block RAM of 256 kbit", 1),
    "SB_MAC16": ("multipliers of 16 x 16", 1),
}
_XC7_CELLS = {
    **{f"LUT{inputs}": ("LUT", 1) for inputs in range(1, 7)},
    "RAM32M": ("LUT", 4),
    "RAM64M": ("LUT", 4),
    "FD?E": ("flip-flops", 1),
    "RAMB18E1": ("block RAM of 18 kbit", 1),
    "RAMB36E1": ("block RAM of 18 kbit", 2),
    "DSP48E1": ("DSP48E1", 1),
}


def _ecp5(size: int, luts: int, memories: int, multipliers: int) -> Device:
    has = {
        "LUT4": luts,
        "flip-flops": luts,
        "block RAM of 18 kbit": memories,
        "multipliers of 18 x 18": multipliers,
    }
    words = (f"--{size}k", "--package", "CABGA381", "--lpf-allow-unconstrained")
    return Device(f"ECP5-{size}", "ecp5", ECP5, _ECP5_CELLS, has, words)


DEVICES = {
    "ecp5-25": _ecp5(25, 24288, 56, 28),
    "ecp5-45": _ecp5(45, 43848, 108, 72),
    "ecp5-85": _ecp5(85, 83640, 208, 156),
    "ice40-up5k": Device(
        "iCE40 UP5K",
        "ice40",
        "synth_ice40 -top {top} -device u -dsp -spram",
        _UP5K_CELLS,
        {
            "LUT4": 5280,
            "flip-flops": 5280,
            "block RAM of 4 kbit": 30,
            "block RAM of 256 kbit": 4,
            "multipliers of 16 x 16": 8,
        },
        ("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"),
        serial=True,
    ),
    "xc7": Device("AMD 7-series", "xc7", "synth_xilinx -family xc7 -top {top}", _XC7_CELLS),
}
