"""Two networks in one program and in one project: no symbol, target or header of one is the other's."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from drawn import write_network
from graphs import Graph, single
from networks import harmonic_artefact
from written import CORTEX_M4, need, said, write_folder

from microstage_bench.drawn_networks import Drawing
from microstage_bench.emulators import BOARDS
from microstage_bench.network import Quantity

_MAIN = """#include "ecg.h"
#include "kws.h"
#include "bits.h"
static ecg_arena a;
static kws_arena b;
static bits_arena c;
int main(void)
{
    static int8_t x[200], y[200];
    static int16_t w[2];
    static int32_t z[20];
    const ecg_ctx ecg = {&a};
    const kws_ctx kws = {&b};
    const bits_ctx bits = {&c};
    return ecg_infer(&ecg, x, z) + kws_infer(&kws, x, y) + bits_infer(&bits, x, w);
}
"""


def convolutions():
    d = Drawing("conv", (3, 8, 8), Quantity(1 / 128), seed=3)
    d.conv(8, 3)
    d.flatten()
    d.dense(5, relu=False)
    return d.network()


def plain() -> tuple[Graph, list[str]]:
    """A product that plain kernels compute."""
    g = Graph()
    return g, [g.node("MatMul", g.input("x", (1, 30)), g.constant("w", np.arange(60).reshape(30, 2) % 7 - 3))]


NETWORKS = ("ecg", "kws", "bits")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """ecg: three parts, float functions, plain kernels; kws: vector kernels; bits: the plain kernels of ecg. One folder
    holds all."""
    place, made = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("in")
    g, outputs = plain()
    sources = {
        "ecg": harmonic_artefact(made / "ecg", vectors=4),
        "kws": write_network(convolutions(), made / "kws"),
        "bits": single(made / "bits", g, outputs, vectors=4),
    }
    for name, source in sources.items():
        write_folder(source, place / name, vectors=4, name=name)
    (place / "main.c").write_text(_MAIN)
    return place


def added_to(target: str, namespaced: bool = False) -> str:
    """Return the lines of a CMakeLists.txt that add each network of a project and link it to `target`."""
    return "".join(
        f"add_subdirectory(${{from}}/{name} {name})\n"
        f"target_link_libraries({target} {f'{name}::{name}' if namespaced else name})\n"
        for name in NETWORKS
    )


def configure(folder: Path, project: Path, option: str, *words: str) -> None:
    """Configure the CMake project in `folder` on the networks of `project`, with `option` on for each."""
    chosen = [f"-D{name.upper()}_{option}=ON" for name in NETWORKS]
    said("cmake", "-S", ".", "-B", "build", f"-Dfrom={project}", *words, *chosen, cwd=folder)


@pytest.mark.parametrize("choose", ["", "DISPATCH=1"])
def test_every_symbol_begins_with_the_networks_name(project, tmp_path, choose):
    need("make", "nm")
    for name in NETWORKS:
        copy = shutil.copytree(project / name, tmp_path / name)
        said("make", "-s", f"lib{name}.a", "CFLAGS=-O1 -DMS_SMALL", *filter(None, [choose]), cwd=copy)
        rows = [line.split() for line in said("nm", "-g", "--defined-only", f"lib{name}.a", cwd=copy).splitlines()]
        found = {row[2] for row in rows if len(row) == 3}
        assert found and all(symbol.startswith(f"{name}_") for symbol in found)
    libraries = [tmp_path / name / f"lib{name}.a" for name in NETWORKS]
    whole = [word for path in libraries for word in ("-Wl,--whole-archive", path)]
    paths = [f"-I{project / name}" for name in NETWORKS]
    said("gcc", *paths, "-o", "main", project / "main.c", *whole, "-Wl,--no-whole-archive", cwd=tmp_path)
    said(tmp_path / "main", cwd=tmp_path)


def test_one_folder_holds_the_sources_of_all(project, tmp_path):
    for name in NETWORKS:
        for path in (project / name).glob("*.[ch]"):
            assert not (tmp_path / path.name).exists() or (tmp_path / path.name).read_bytes() == path.read_bytes()
            shutil.copy(path, tmp_path)
    said(
        "gcc",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-flto",
        "-o",
        "main",
        project / "main.c",
        "-I.",
        *tmp_path.glob("*.c"),
        cwd=tmp_path,
    )
    said(tmp_path / "main", cwd=tmp_path)


def test_they_are_added_to_one_project_installed_and_found(project, tmp_path):
    need("cmake")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.10)\nproject(both C)\nadd_executable(both main.c)\n"
        + added_to("both", namespaced=True)
    )
    shutil.copy(project / "main.c", tmp_path)
    configure(tmp_path, project, "INSTALL", f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'usr'}")
    said("cmake", "--build", "build", "--target", "install", cwd=tmp_path)
    said(tmp_path / "build" / "both", cwd=tmp_path)
    assert "selftest" not in said("cmake", "--build", "build", "--target", "help", cwd=tmp_path)

    user = tmp_path / "user"
    user.mkdir()
    (user / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.10)\nproject(user CXX)\nadd_executable(user main.cpp)\n"
        + "".join(
            f"find_package({name} 1.0 REQUIRED)\ntarget_link_libraries(user {name}::{name})\n" for name in NETWORKS
        )
    )
    shutil.copy(project / "main.c", user / "main.cpp")
    said("cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={tmp_path / 'usr'}", cwd=user)
    said("cmake", "--build", "build", cwd=user)
    said(user / "build" / "user", cwd=user)
    assert {path.name for path in (tmp_path / "usr" / "include").iterdir()} == {
        "bits.h",
        "ecg.h",
        "ecg_float.h",
        "kws.h",
        "ms_machine.h",
    }


def test_both_self_tests_pass_in_one_bare_metal_project_for_a_cortex_m4(project, tmp_path):
    if CORTEX_M4.missing:
        pytest.skip(CORTEX_M4.missing)
    need("cmake", "ctest")
    link = " ".join(word for word in CORTEX_M4.link if not word.endswith(".c"))
    (tmp_path / "cortex-m4.cmake").write_text(
        f"set(CMAKE_SYSTEM_NAME Generic)\nset(CMAKE_SYSTEM_PROCESSOR arm)\nset(CMAKE_C_COMPILER {CORTEX_M4.compiler})\n"
        "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\nset(CMAKE_CROSSCOMPILING_EMULATOR "
        f"{';'.join(CORTEX_M4.emulator)})\n"
        f'set(CMAKE_C_FLAGS_INIT "{" ".join(CORTEX_M4.flags)}")\nset(CMAKE_EXE_LINKER_FLAGS_INIT "{link}")\n'
    )
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(firmware C)\nenable_testing()\n"
        f"add_library(startup OBJECT {BOARDS / 'cortex_m.c'})\nlink_libraries(startup)\n"
        "add_executable(firmware main.c)\n" + added_to("firmware")
    )
    shutil.copy(project / "main.c", tmp_path)
    configure(tmp_path, project, "TESTS", f"-DCMAKE_TOOLCHAIN_FILE={tmp_path / 'cortex-m4.cmake'}")
    said("cmake", "--build", "build", cwd=tmp_path)
    printed = said("ctest", "--verbose", cwd=tmp_path / "build")
    assert (
        "100% tests passed, 0 tests failed out of 3" in printed
        and printed.count(": equal ") >= 9
        and "differs" not in printed
    )
    said(*CORTEX_M4.emulator, tmp_path / "build" / "firmware", cwd=tmp_path)
