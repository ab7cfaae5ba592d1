"""What ratios depend on: the processor, its load, the compiler, and the most multiply-accumulates that a core does."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

from microstage.benchmarks.compiling import compile_library, compiler
from microstage.benchmarks.measuring import interleaved

__all__ = ["best_peak", "describe", "peaks"]

_PEAKS = ("peak_vpdpbusd_512", "peak_pmaddwd_256")
_TELLING = ("avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_vpopcntdq", "amx_int8", "asimddp")
_ROUNDS = 21


def describe(core: int) -> list[str]:
    """Lines for the head of a report."""
    facts = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = set((facts.get("flags") or facts.get("Features", "")).split())
    version = subprocess.run([*compiler(), "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return [
        f"processor: {facts.get('model name', 'unknown')}, family {facts.get('cpu family', '?')}, model {facts.get('model', '?')}:"
        f" {', '.join(flag for flag in _TELLING if flag in flags) or 'no vector extension of interest'}",
        f"core {core} of {os.cpu_count()}, one thread, load average {os.getloadavg()[0]:.1f}; times are processor time",
        f"compiler: {version}",
    ]


def peaks(scratch: Path) -> dict[str, float]:
    """Measured int8 GMAC/s by kind of instruction, as far as this machine has them."""
    library = compile_library([Path(__file__).with_name("peak.c")], ["-O3", "-march=native"], scratch / "peak.so")
    found = {name: getattr(library, name) for name in _PEAKS if hasattr(library, name)}
    for function in found.values():
        function.restype = ctypes.c_int64
    timings = interleaved(found, _ROUNDS) if found else {}
    return {name.removeprefix("peak_"): found[name]() / timing.best / 1000 for name, timing in timings.items()}


def best_peak(measured: dict[str, float]) -> float:
    """The largest of them; 0 where none could be measured."""
    return max(measured.values(), default=0.0)
