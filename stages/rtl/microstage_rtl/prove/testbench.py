"""Add to a folder of SystemVerilog what replays its vectors: test/bench.cpp, and a Makefile for Verilator."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

__all__ = ["BENCH", "add_testbench"]

BENCH = "test/bench"


def add_testbench(folder: Path, top: str) -> None:
    """Write `folder`/test/bench.cpp and `folder`/Makefile, for the files that files.f lists and the module `top`."""
    (folder / "test").mkdir()
    source = resources.files(__package__) / "bench.cpp"
    (folder / "test" / "bench.cpp").write_bytes(source.read_bytes())
    (folder / "Makefile").write_text(_MAKEFILE.replace("@TOP@", top))


_MAKEFILE = """\
# make check: replay the golden vectors under Verilator (5.006 or newer), as fast as they go and with random stalls.
WARNINGS := -Wall
OPTIMISE := OPT_FAST=-O2

.PHONY: check clean
check: test/bench
\ttest/bench vectors/input.txt vectors/expected.txt
\ttest/bench vectors/input.txt vectors/expected.txt 1 30

test/bench: test/bench.cpp files.f $(shell cat files.f)
\tverilator --cc --exe --build -O3 $(WARNINGS) -MAKEFLAGS "$(OPTIMISE)" --prefix Vdut --top-module @TOP@ \\
\t  -Mdir test/obj -f files.f $(CURDIR)/test/bench.cpp -o $(CURDIR)/test/bench

clean:
\trm -rf test/obj test/bench
"""
