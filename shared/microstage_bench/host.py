"""What ratios depend on: the processor, its load, the compiler, and the most multiply-accumulates that a core does."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from microstage_bench.compiling import compile_library, compiler

__all__ = ["Peak", "describe", "peak"]

_PEAKS = ("vpdpbusd_512", "pmaddwd_256")  # the faster first
_TELLING = ("avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_vpopcntdq", "amx_int8", "asimddp")


@dataclass(frozen=True)
class Peak:
    """A loop of nothing but multiply-accumulates on registers: `macs` a call."""

    name: str
    call: Callable[[], int]
    macs: int


def describe(core: int) -> list[str]:
    """Return lines for the head of a report."""
    facts = dict(
        line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines() if ":" in line
    )
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = set((facts.get("flags") or facts.get("Features", "")).split())
    version = subprocess.run(
        [*compiler(), "--version"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[0]
    return [
        f"processor: {facts.get('model name', 'unknown')}, family {facts.get('cpu family', '?')}, model "
        f"{facts.get('model', '?')}:"
        f" {', '.join(flag for flag in _TELLING if flag in flags) or 'no vector extension of interest'}",
        f"core {core} of {os.cpu_count()}, one thread, load average {os.getloadavg()[0]:.1f}; times are processor time",
        f"compiler: {version}",
    ]


def peak(scratch: Path) -> Peak | None:
    """Return the fastest loop that this processor has; None where peak.c has nothing for it."""
    library = compile_library([Path(__file__).with_name("peak.c")], ["-O3", "-march=native"], scratch / "peak.so")
    for name in _PEAKS:
        function = getattr(library, f"peak_{name}", None)
        if function is not None:
            function.restype = ctypes.c_int64
            return Peak(name, function, function())
    return None
