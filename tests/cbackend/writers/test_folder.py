"""The written folder as others build it: CMake, make and C++, and instructions chosen at run time."""

import platform
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from drawn import write_network
from graphs import Graph, single
from networks import harmonic_artefact
from written import need, said, write_folder

from microstage_bench.drawn_networks import Drawing
from microstage_bench.network import Quantity
from microstage_bench.write_models import network_named
from microstage_cbackend.build import FLAGS, compile_selftest, run_selftest
from microstage_cbackend.writers.dispatch import SETS

VECTORS = 8
# what the processor must say that it has, and what the compiled code must hold and must not
KERNELS = {
    "plain": ("", "", "ymm|zmm"),
    "avx2": ("avx2", "ymm", "zmm|vpdpbusd"),
    "avxvnni": ("avx_vnni", "vpdpbusd.*ymm", "zmm"),
}
KERNELS |= {"avx512vnni": ("avx512_vnni", "vpdpbusd.*zmm", "^$")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The C of a depthwise separable network."""
    return write_folder(
        write_network(network_named("drawn-ds-cnn"), tmp_path_factory.mktemp("in")), tmp_path_factory.mktemp("ds-cnn")
    )


@pytest.fixture(scope="module")
def harmonic(tmp_path_factory):
    """That of a network of three parts, with float functions and a stream."""
    return write_folder(
        harmonic_artefact(tmp_path_factory.mktemp("in"), vectors=VECTORS), tmp_path_factory.mktemp("harmonic")
    )


def x86() -> None:
    if platform.machine() != "x86_64":
        pytest.skip("instructions are chosen at run time on x86-64 alone")


@pytest.mark.parametrize("choose", ["OFF", "ON"])
def test_cmake_builds_it_and_ctest_passes(folder, tmp_path, choose):
    need("cmake", "ctest")
    if choose == "ON":
        x86()
    name = next(folder.glob("*_weights.h")).name.removesuffix("_weights.h")
    said(
        "cmake",
        "-S",
        folder,
        "-B",
        tmp_path,
        f"-D{name.upper()}_DISPATCH={choose}",
        "-DCMAKE_C_FLAGS=-Wall -Wextra -Werror",
        cwd=tmp_path,
    )
    said("cmake", "--build", tmp_path, cwd=tmp_path)
    assert "100% tests passed, 0 tests failed out of 1" in said("ctest", cwd=tmp_path)
    assert "checksum" in said(tmp_path / f"{name}_bench", cwd=tmp_path)


def test_cmake_builds_a_network_of_parts(harmonic, tmp_path):
    need("cmake", "ctest")
    said("cmake", "-S", harmonic, "-B", tmp_path, cwd=tmp_path)
    said("cmake", "--build", tmp_path, cwd=tmp_path)
    assert "100% tests passed" in said("ctest", cwd=tmp_path)


def test_make_with_and_without_a_choice_prints_the_same(folder, tmp_path):
    x86()
    need("make")
    copy = shutil.copytree(folder, tmp_path / "copy")
    first = said("make", "-s", "check", cwd=copy)
    said("make", "-s", "clean", cwd=copy)
    assert said("make", "-s", "check", "DISPATCH=1", cwd=copy) == first
    assert re.fullmatch(r"equal \w+ (\d+) \1\n", first)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("chosen", SETS)
def test_each_instruction_set_is_compiled_and_gives_the_same_integers(folder, tmp_path, compiler, chosen):
    x86()
    need(compiler, "objdump")
    flag, holds, lacks = KERNELS[chosen]
    model = next(folder.glob("host/*_dispatch.c")).name.removesuffix("_dispatch.c")
    copy = shutil.copytree(folder, tmp_path / "copy")
    for source in copy.glob(f"host/{model}_*.c"):
        said(
            compiler,
            *FLAGS,
            f"-DMS_FORCED=MS_CPU_{chosen.upper()}",
            "-c",
            "-o",
            source.with_suffix(".o"),
            source,
            cwd=copy,
        )
    code = said("objdump", "-d", copy / "host" / f"{model}_{chosen}.o", cwd=copy)
    assert re.search(holds, code) and not re.search(lacks, code)
    if flag and flag not in Path("/proc/cpuinfo").read_text().split():
        pytest.skip(f"compiled, not run: this processor has no {flag}")
    said(compiler, *FLAGS, "-I.", "-o", "test/selftest", "test/selftest.c", *copy.glob("host/*.o"), cwd=copy)
    assert re.fullmatch(r"equal \w+ (\d+) \1\n", said(copy / "test" / "selftest", cwd=copy / "test"))


def test_the_choice_is_what_the_processor_says(folder, tmp_path):
    x86()
    flags = Path("/proc/cpuinfo").read_text().split()
    best = next(name for name in reversed(SETS) if KERNELS[name][0] in ["", *flags])
    (tmp_path / "which.c").write_text(
        f'#include <stdio.h>\n#include "{folder}/host/ms_dispatch.h"\n'
        f'int main(void) {{ printf("%d", (int)ms_cpu()); return 0; }}\n'
    )
    said("gcc", "-o", "which", "which.c", cwd=tmp_path)
    assert int(said(tmp_path / "which", cwd=tmp_path)) == SETS.index(best)


@pytest.mark.parametrize("features", [2, 7, 8, 9])
def test_a_narrow_last_layer_compiles_without_warnings_for_this_processor(tmp_path, features):
    d = Drawing("narrow", (100,), Quantity(1 / 128), seed=1)
    d.dense(32)
    d.dense(features, relu=False)
    write_network(d.network(), tmp_path / "in")
    out = write_folder(tmp_path / "in", tmp_path / "out")
    compile_selftest(out, (*FLAGS, "-O3", "-march=native"))
    assert run_selftest(out, {})


@pytest.mark.parametrize("filters", [(3, 12, 22, 30), (36, 44, 52, 60), (67, 77, 88, 130)], ids=str)
def test_vector_kernels_give_the_same_integers_for_every_number_of_filters(tmp_path, filters):
    random, g = np.random.default_rng(0), Graph()
    x = g.input("x", (1, 5, 7, 7))
    outputs = []
    for f in filters:
        y = g.node("Conv", x, g.constant(f"w{f}", random.integers(-128, 128, (f, 5, 3, 3))))
        line = np.ceil(np.linspace(-30000, 30000, 255)) + random.integers(-500, 500, (f, 1))
        outputs.append(g.threshold(y, line, -128, "NCHW"))
    out = write_folder(single(tmp_path / "in", g, outputs, vectors=VECTORS), tmp_path / "out")
    compile_selftest(out, (*FLAGS, "-march=native"))
    assert all(result.compared == result.equal > 0 for result in run_selftest(out, {}))


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_headers_are_read_by_cplusplus_and_link_to_c(harmonic, tmp_path, compiler):
    need(compiler)
    (tmp_path / "main.cpp").write_text(
        '#include "tiny.h"\n#include "tiny_float.h"\nstatic tiny_arena arena;\nstatic tiny_stream stream;\n'
        "int main() {\n    const tiny_ctx ctx = {&arena};\n    int8_t x[12] = {0};\n    int32_t y[4];\n    float "
        "answer[4];\n"
        "    return tiny_infer(&ctx, x, y) == TINY_OK && tiny_push(&ctx, &stream, 1.0f, answer) == TINY_WAITING ? 0 : "
        "1;\n}\n"
    )
    for source in harmonic.glob("*.c"):
        said("gcc", *FLAGS, "-c", source, "-o", tmp_path / f"{source.stem}.o", cwd=tmp_path)
    said(
        compiler,
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-I{harmonic}",
        "-o",
        "main",
        "main.cpp",
        *tmp_path.glob("*.o"),
        cwd=tmp_path,
    )
    said(tmp_path / "main", cwd=tmp_path)
