"""FINN's C++ of its layers, compiled by this machine's compiler: all layers of a graph as one program.

The types of Vitis HLS are those that hls4ml's package has, and stand-ins of ours for three headers that it lacks. The
kernels are finn-hlslib's, which no package index carries: the user names its folder.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage_streamline.simulate.layers import HardwareLayer

__all__ = ["WITHOUT_KERNELS", "simulate_cpp"]

WITHOUT_KERNELS = "its kernels are finn-hlslib's, which no package index carries: FINN_HLSLIB= names a folder of them"
_INCLUDE = re.compile(r'^#include\s+["<](?!params\.hpp)[^">]+[">]', re.MULTILINE)
_WIDEST = re.compile(r"^#define AP_INT_MAX_W (\d+)", re.MULTILINE)
# ap_int of Vitis says whether it is signed, which one static_assert asks for
_OPTIONS = ("-std=c++17", "-O1", "-w", "-include", "half.h", "-Dsign_flag=width*0")
_MOST_ROUNDS = 4


def simulate_cpp(layers: Sequence[HardwareLayer], hardware, kernels: Path, folder: Path) -> None:
    """Compile and run `layers`, and note in each what differs, or why it cannot run."""
    for layer in layers:
        layer.op.set_nodeattr("code_gen_dir_cppsim", str(layer.folder))
        layer.op.set_nodeattr("exec_mode", "cppsim")
        layer.op.code_generation_cppsim(hardware)
    running = _compiled(list(layers), kernels, folder)
    for place, layer in enumerate(running):
        began = time.monotonic()
        layer.op.set_nodeattr("executable_path", str(_script(folder / "layers", place, layer.folder)))
        try:
            layer.compare()
        except (OSError, AssertionError, ValueError) as error:
            layer.reason = f"it does not run: {str(error).splitlines()[0][:160]}"
        layer.seconds = time.monotonic() - began


def _script(program: Path, place: int, folder: Path) -> Path:
    """Return a program of one layer, which FINN starts without arguments."""
    made = folder / "node_model"
    made.write_text(f"#!/bin/sh\nexec '{program}' {place}\n")
    made.chmod(0o755)
    return made


def _compiled(layers: list[HardwareLayer], kernels: Path, folder: Path) -> list[HardwareLayer]:
    """Return the layers of the program folder/layers, without those that do not compile."""
    for _ in range(_MOST_ROUNDS):
        if not layers:
            return []
        (folder / "layers.cpp").write_text(_program(layers))
        said = subprocess.run(_command(kernels, folder), capture_output=True, text=True).stderr
        if (folder / "layers").exists():
            return layers
        broken = [layer for layer in layers if f"{layer.folder}/" in said] or layers
        for layer in broken:
            layer.reason = f"it does not compile: {_first_error(said, layer.folder)}"
        layers = [layer for layer in layers if layer not in broken]
    return layers


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
    includes = dict.fromkeys(found for text in texts for found in _INCLUDE.findall(text))
    head = [f"#define AP_INT_MAX_W {widest}", "#define HLS_CONSTEXPR_ENABLE", "#define HLS_NO_XIL_FPO_LIB", *includes]
    for place, (layer, text) in enumerate(zip(layers, texts)):
        own = layer.folder / "layer.hpp"
        own.write_text(_WIDEST.sub("", text).replace("int main()", "void run()"))
        head += [f"namespace layer_{place} {{", f'#include "{own}"', "}"]
    cases = [f"        case {place}: layer_{place}::run(); return 0;" for place in range(len(layers))]
    return "\n".join(
        [
            *head,
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
        "-lz",
        "-o",
        str(folder / "layers"),
    ]


def _folder(package: str) -> Path:
    """Return where an installed package lies; it is not loaded."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise EnvironmentProblem(f"The package {package} is not installed here: `make simulate` installs it.")
    return Path(found.submodule_search_locations[0])
