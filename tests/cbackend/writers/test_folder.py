"""The written folder as others build it: CMake, make and C++, and instructions chosen at run time."""

import platform
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from drawn import write_network
from graphs import Graph, single
from written import need, said, write_folder

from microstage_bench.drawn_networks import Drawing
from microstage_bench.network import Quantity
from microstage_cbackend.build import FLAGS, compile_selftest, run_selftest
from microstage_cbackend.writers.dispatch import SETS

VECTORS = 8
# The vector kernels without their versions for many shapes: a third of the time, and one test alone compiles them all.
SMALL = "-DMS_SMALL"
# what the processor must say that it has, and what the compiled code must hold and must not
KERNELS = {
    "plain": ("", "", "ymm|zmm"),
    "avx2": ("avx2", "ymm", "zmm|vpdpbusd"),
    "avxvnni": ("avx_vnni", "vpdpbusd.*ymm", "zmm"),
}
KERNELS |= {"avx512vnni": ("avx512_vnni", "vpdpbusd.*zmm", "^$")}


@pytest.fixture(scope="module")
def folder(every_kernel_source, tmp_path_factory):
    """The C of a network that calls every vectorised kernel."""
    return write_folder(every_kernel_source, tmp_path_factory.mktemp("every_kernel"))


@pytest.fixture(scope="module", params=["gcc", "clang"])
def objects(folder, request, tmp_path_factory):
    """(compiler, copy of the folder whose code for each instruction set is compiled in host/, as users compile it)."""
    x86()
    need(request.param, "objdump")
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("objects") / "copy")
    for chosen in SETS:
        said(request.param, *FLAGS, "-c", "-o", f"{chosen}.o", f"every_kernel_{chosen}.c", cwd=copy / "host")
    return request.param, copy


def x86() -> None:
    if platform.machine() != "x86_64":
        pytest.skip("instructions are chosen at run time on x86-64 alone")


@pytest.mark.parametrize("choose", ["OFF", "ON"])
def test_cmake_builds_it_and_ctest_passes(folder, tmp_path, choose):
    need("cmake", "ctest")
    if choose == "ON":
        x86()
    said(
        "cmake",
        "-S",
        folder,
        "-B",
        tmp_path,
        f"-DEVERY_KERNEL_DISPATCH={choose}",
        f"-DCMAKE_C_FLAGS=-Wall -Wextra -Werror {SMALL}",
        cwd=tmp_path,
    )
    said("cmake", "--build", tmp_path, cwd=tmp_path)
    assert "100% tests passed, 0 tests failed out of 1" in said("ctest", cwd=tmp_path)
    assert "checksum" in said(tmp_path / "every_kernel_bench", cwd=tmp_path)


def test_cmake_builds_a_network_of_parts(harmonic_made, tmp_path):
    need("cmake", "ctest")
    said("cmake", "-S", harmonic_made, "-B", tmp_path, cwd=tmp_path)
    said("cmake", "--build", tmp_path, cwd=tmp_path)
    assert "100% tests passed" in said("ctest", cwd=tmp_path)


def test_make_with_and_without_a_choice_prints_the_same(folder, tmp_path):
    x86()
    need("make")
    copy = shutil.copytree(folder, tmp_path / "copy")
    first = said("make", "-s", "check", cwd=copy)
    said("make", "-s", "clean", cwd=copy)
    assert said("make", "-s", "check", "DISPATCH=1", f"CFLAGS=-O2 {SMALL}", cwd=copy) == first
    assert re.fullmatch(r"equal \w+ (\d+) \1\n", first)


@pytest.mark.parametrize("chosen", SETS)
def test_each_instruction_set_is_compiled_and_gives_the_same_integers(objects, chosen, tmp_path):
    (flag, holds, lacks), (compiler, copy) = KERNELS[chosen], objects
    code = said("objdump", "-d", copy / "host" / f"{chosen}.o", cwd=copy)
    assert re.search(holds, code) and not re.search(lacks, code)
    if flag and flag not in Path("/proc/cpuinfo").read_text().split():
        pytest.skip(f"compiled, not run: this processor has no {flag}")
    forced, test = f"-DMS_FORCED=MS_CPU_{chosen.upper()}", copy / "test"
    sources = [copy / "host" / "every_kernel_dispatch.c", test / "selftest.c", *copy.glob("host/*.o")]
    said(compiler, *FLAGS, forced, f"-I{copy}", "-o", tmp_path / "selftest", *sources, cwd=copy)
    assert re.fullmatch(r"equal \w+ (\d+) \1\n", said(tmp_path / "selftest", cwd=test))


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
def test_headers_are_read_by_cplusplus_and_link_to_c(harmonic_made, tmp_path, compiler):
    need(compiler)
    (tmp_path / "main.cpp").write_text(
        '#include "tiny.h"\n#include "tiny_float.h"\nstatic tiny_arena arena;\nstatic tiny_stream stream;\n'
        "int main() {\n    const tiny_ctx ctx = {&arena};\n    int8_t x[12] = {0};\n    int32_t y[4];\n    float "
        "answer[4];\n"
        "    return tiny_infer(&ctx, x, y) == TINY_OK && tiny_push(&ctx, &stream, 1.0f, answer) == TINY_WAITING ? 0 : "
        "1;\n}\n"
    )
    for source in harmonic_made.glob("*.c"):
        said("gcc", *FLAGS, "-c", source, "-o", tmp_path / f"{source.stem}.o", cwd=tmp_path)
    said(
        compiler,
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-I{harmonic_made}",
        "-o",
        "main",
        "main.cpp",
        *tmp_path.glob("*.o"),
        cwd=tmp_path,
    )
    said(tmp_path / "main", cwd=tmp_path)


def test_every_kernel_of_small_machines_has_a_page_that_names_its_forms(folder):
    kernels, forms = "conv depthwise add average xnor".split(), ("", "_dsp", "_mve", "_rv32")
    called = {k for k in kernels if f"ms_small_{k}" in (folder / "every_kernel_small.c").read_text()}
    pages = re.split(r"^### `ms_small_", (folder / "README.md").read_text(), flags=re.MULTILINE)[1:]
    described = {page.partition("`")[0]: page for page in pages}
    assert {*described} == called == {*kernels}
    for kernel, page in described.items():
        written = {name for name in (f"ms_small_{kernel}{form}.h" for form in forms) if (folder / name).is_file()}
        assert written == {*re.findall(r"`(\w+\.h)`", page)} and "*Promises.*" in page and "*Proven.*" in page
