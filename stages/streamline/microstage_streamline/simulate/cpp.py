"""FINN's C++ of its layers, compiled by this machine's compiler: all layers of a graph as one program.

The types of Vitis HLS are those that hls4ml's package has, and stand-ins of ours for three headers that it lacks. The
kernels are finn-hlslib's, which no package index carries: the user names its folder.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage_streamline.simulate.layers import HardwareLayer, in_one_line

__all__ = ["WITHOUT_KERNELS", "check_cpp", "simulate_cpp"]

WITHOUT_KERNELS = "its kernels are finn-hlslib's, which no package index carries: FINN_HLSLIB= names a folder of them"
_INCLUDE = re.compile(r'^#include\s+["<]([^">]+)[">]', re.MULTILINE)
_WIDEST = re.compile(r"^#define AP_INT_MAX_W (\d+)", re.MULTILINE)
# ap_int of Vitis says whether it is signed, which one static_assert asks for
_OPTIONS = ("-std=c++17", "-O1", "-w", "-include", "half.h", "-Dsign_flag=width*0")
_MOST_ROUNDS = 4


def check_cpp(layers: Sequence[HardwareLayer], hardware, kernels: Path, folder: Path) -> None:
    """Note in each of `layers` why it does not compile, if it does not."""
    left = _written(layers, hardware)
    for _ in range(_MOST_ROUNDS):
        said = _compile(left, kernels, folder, "-fsyntax-only") if left else ""
        if not said:
            return
        broken = [layer for layer in left if f"{layer.folder}/" in said] or left
        for layer in broken:
            layer.reason = f"it does not compile: {_first_error(said, layer.folder)}"
        left = [layer for layer in left if layer not in broken]
    for layer in left:
        layer.reason = "it stands beside layers that do not compile"


def simulate_cpp(layers: Sequence[HardwareLayer], hardware, kernels: Path, folder: Path) -> Iterator[HardwareLayer]:
    """Compile `layers`, run each, note in it what differs or why it cannot run, and yield it."""
    running = _written(layers, hardware)
    said = _compile(running, kernels, folder, "-lz", "-o", str(folder / "layers")) if running else ""
    for place, layer in enumerate(running):
        began = time.monotonic()
        if said:
            layer.reason = f"it does not compile: {_first_error(said, layer.folder)}"
        else:
            layer.op.set_nodeattr("executable_path", str(_script(folder / "layers", place, layer.folder)))
            _compare(layer)
        layer.seconds = time.monotonic() - began
        yield layer


def _written(layers: Sequence[HardwareLayer], hardware) -> list[HardwareLayer]:
    """Return the layers that FINN writes C++ of, written into their folders."""
    for layer in layers:
        layer.op.set_nodeattr("code_gen_dir_cppsim", str(layer.folder))
        layer.op.set_nodeattr("exec_mode", "cppsim")
        try:
            layer.op.code_generation_cppsim(hardware)
        except Exception as error:  # FINN asserts what it expects, and raises whatever NumPy does
            layer.reason = f"FINN writes no C++ of it: {in_one_line(error)}"
    return [layer for layer in layers if not layer.reason]


def _compare(layer: HardwareLayer) -> None:
    try:
        layer.compare()
    except (OSError, AssertionError, ValueError) as error:
        layer.reason = f"it does not run: {in_one_line(error)}"


def _script(program: Path, place: int, folder: Path) -> Path:
    """Return a program of one layer, which FINN starts without arguments."""
    made = folder / "node_model"
    made.write_text(f"#!/bin/sh\nexec '{program}' {place}\n")
    made.chmod(0o755)
    return made


def _compile(layers: Sequence[HardwareLayer], kernels: Path, folder: Path, *options: str) -> str:
    """Compile the program of `layers` with `options`; return what the compiler says: nothing of a right one."""
    (folder / "layers.cpp").write_text(_program(layers))
    made = subprocess.run([*_command(kernels, folder), *options], capture_output=True, text=True)
    return (made.stderr or "the compiler gives no reason") if made.returncode else ""


def _first_error(said: str, folder: Path) -> str:
    """Return the compiler's first complaint about a layer, without paths."""
    lines = said.splitlines()
    begins = next((place for place, line in enumerate(lines) if f"{folder}/" in line), 0)
    first = next((line for line in lines[begins:] if "error:" in line), "the compiler gives no reason")
    return first.split("error:")[-1].strip()[:160]


def _program(layers: Sequence[HardwareLayer]) -> str:
    """Return one program of all layers, each in a namespace of its own, chosen by the first argument."""
    texts = [next(layer.folder.glob("execute_*.cpp")).read_text() for layer in layers]
    widest = max(int(found) for text in texts for found in _WIDEST.findall(text))
    headers: dict[str, None] = {}
    bodies = []
    for place, (layer, text) in enumerate(zip(layers, texts)):
        own = layer.folder / "layer.hpp"
        shared = [found for found in _INCLUDE.finditer(text) if not (layer.folder / found[1]).exists()]
        headers |= dict.fromkeys(found[0] for found in shared)
        for found in reversed(shared):  # in front of the namespaces, and not within: not all of them guard themselves
            text = text[: found.start()] + text[found.end() :]
        own.write_text(_WIDEST.sub("", text).replace("int main()", "void run()"))
        bodies += [f"namespace layer_{place} {{", f'#include "{own}"', "}"]
    cases = [f"        case {place}: layer_{place}::run(); return 0;" for place in range(len(layers))]
    return "\n".join(
        [
            f"#define AP_INT_MAX_W {widest}",
            "#define HLS_CONSTEXPR_ENABLE",
            "#define HLS_NO_XIL_FPO_LIB",
            *headers,
            *bodies,
            "int main(int, char **words) {",
            "    switch (std::stoi(words[1])) {",
            *cases,
            "    }",
            "    return 1;",
            "}",
            "",
        ]
    )


def _command(kernels: Path, folder: Path) -> list[str]:
    finn, types = _folder("finn"), _folder("hls4ml")
    streams = finn / "templates" / "npy2stream"
    includes = [
        Path(__file__).parent / "standins",
        streams,
        kernels,
        finn / "custom_hls",
        types / "templates" / "vivado" / "ap_types",
    ]
    sources = [folder / "layers.cpp", streams / "cnpy.cpp"]
    return [
        "g++",
        *_OPTIONS,
        *(f"-I{path}" for path in includes),
        *map(str, sources),
    ]


def _folder(package: str) -> Path:
    """Return where an installed package lies; it is not loaded."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise EnvironmentProblem(f"The package {package} is not installed here: `make simulate` installs it.")
    return Path(found.submodule_search_locations[0])
