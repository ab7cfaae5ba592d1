"""The stage from artefact to artefact: what it writes, what it proves, how it refuses."""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest
from graphs import Graph, single, write_artefact
from networks import C, H, N, T, harmonic_artefact


@pytest.fixture
def harmonic(tmp_path):
    return harmonic_artefact(tmp_path / "in")


def corrupt(folder, boundary, index, delta=1):
    golden = dict(np.load(folder / "golden.npz"))
    golden[boundary][index] += delta
    np.savez(folder / "golden.npz", **golden)


def test_every_boundary_and_the_whole_network_are_compared(harmonic, run_stage):
    code, out = run_stage(harmonic)
    assert code == 0
    record = {
        v["boundary"]: (v["compared"], v["equal"])
        for v in json.loads((out / "report.json").read_text())["verification"]
    }
    counts = {"features": 6 * T * C, "hidden": 6 * T * H, "cell": 6 * T * H, "harmonics": 24, "whole.harmonics": 24}
    calls = 3  # of 1, 2 and the last of 4 steps
    counts |= {
        "stream.hidden": 6 * calls * H,
        "stream.cell": 6 * calls * H,
        "real.harmonics": 24,
        "refused.real.window": 10,
    }
    assert record == {name: (n, n) for name, n in counts.items()}


def test_output_holds_sources_golden_vectors_and_metadata_but_no_binary(harmonic, run_stage):
    _, out = run_stage(harmonic)
    names = {p.name for p in out.iterdir()}
    assert {p.name for p in (out / "test").iterdir()} == {"selftest.c", "bench.c", "golden.bin"}
    assert {
        "tiny.h",
        "tiny.c",
        "tiny_weights.c",
        "test",
        "examples",
        "zephyr",
        "Makefile",
        "interface.json",
        "golden.npz",
    } <= names
    assert not [n for n in names if n.endswith(".o")]


def test_same_input_gives_same_bytes(harmonic, tmp_path):
    from microstage.interface import golden
    from microstage_cbackend.generate import files_of, read_model
    from microstage_cbackend.vectors.plan import make_plan

    def make():
        model = read_model(harmonic)
        return files_of(model, make_plan(model, golden.load(harmonic / golden.FILE)))

    assert make() == make()


def test_another_compiler_tests_the_same_bytes_and_is_noted_beside_them(harmonic, run_stage, tmp_path, monkeypatch):
    """gcc is not pinned (docs/adr/0003): it may refuse an artefact, not change it."""
    other = tmp_path / "bin" / "gcc"
    other.parent.mkdir()
    other.write_text(
        f'#!/bin/sh\n[ "$1" != --version ] || {{ echo another 1.0; exit; }}\nexec {shutil.which("gcc")} "$@" -O0\n'
    )
    other.chmod(0o755)
    made = []
    for path in (os.environ["PATH"], f"{other.parent}:{os.environ['PATH']}"):
        monkeypatch.setenv("PATH", path)
        code, out = run_stage(harmonic)
        assert code == 0
        made.append({file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()})
        shutil.rmtree(out)
    assert made[0] == made[1]
    assert [path.read_text() for path in tmp_path.rglob("compiler.txt")] == ["another 1.0\n"]


def test_library_uses_no_heap_no_float_and_no_written_globals(harmonic, run_stage, tmp_path):
    _, out = run_stage(harmonic)
    sources = [p for p in out.glob("*.c") if not p.name.endswith("_float.c")]
    text = "".join(p.read_text() for p in sources)
    for word in ("malloc", "free(", "float", "double"):
        assert word not in text
    for source in sources:
        subprocess.run(["gcc", "-std=c99", "-O2", "-c", "-o", tmp_path / "x.o", source], check=True)
        symbols = subprocess.run(["nm", tmp_path / "x.o"], check=True, capture_output=True, text=True).stdout
        assert not [line for line in symbols.splitlines() if line.split()[-2] in "bBdDcC"], source


def test_header_states_units_scales_and_ranges(harmonic, run_stage):
    _, out = run_stage(harmonic)
    header = (out / "tiny.h").read_text()
    assert "subcnn.window [1, 1, 12]: -127..127, scale 0.0078125, unit 2^exponent A" in header
    assert "scale [0.1, 0.2, 0.3, 0.4]" in header


@pytest.mark.parametrize(("boundary", "index"), [("features", (3, 2, 1)), ("hidden", (0, 1, 4)), ("cell", (5, 3, 0))])
def test_a_single_wrong_integer_ends_with_code_3_and_is_named(harmonic, run_stage, capfd, boundary, index):
    value = np.load(harmonic / "golden.npz")[boundary][index]
    corrupt(harmonic, boundary, index, -1 if value > 0 else 1)
    code, out = run_stage(harmonic)
    assert code == 3
    assert not list(out.iterdir())
    assert (
        f"at {boundary}{list(index)}: expected {value + (-1 if value > 0 else 1)}, found {value} "
        in capfd.readouterr().err
    )


def test_a_golden_value_outside_the_proven_range_ends_with_code_3(harmonic, run_stage, capfd):
    corrupt(harmonic, "harmonics", (0, 0), 10**6)
    assert run_stage(harmonic)[0] == 3
    assert "is proven to lie in" in capfd.readouterr().err


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_makefile_of_the_output_checks_it(harmonic, run_stage):
    _, out = run_stage(harmonic)
    done = subprocess.run(["make", "-s", "check"], cwd=out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "equal whole.harmonics 24 24" in done.stdout


def test_sanitizers_find_nothing_at_O0_and_O3(harmonic, run_stage, tmp_path):
    from microstage_cbackend.build import FLAGS, compile_and_run

    _, out = run_stage(harmonic)
    for level in ("-O0", "-O3"):
        copy = shutil.copytree(out, tmp_path / level)
        checks = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
        assert compile_and_run(copy, {}, (*FLAGS, level, *checks))


def test_an_input_outside_its_declared_range_is_refused_by_the_c(harmonic, run_stage, tmp_path):
    _, out = run_stage(harmonic)
    (out / "refuses.c").write_text(
        '#include "tiny.h"\n#include <stddef.h>\nstatic tiny_arena a;\nstatic const tiny_ctx ctx = { &a };\nint \
main(void)\n{\n'
        f"    int8_t hidden[{H}] = {{0}};\n    int32_t y[4];\n    if (tiny_submlp(&ctx, hidden, y) != TINY_OK) return "
        "1;\n"
        "    hidden[2] = 32;\n    if (tiny_submlp(&ctx, hidden, y) != TINY_OUT_OF_RANGE) return 2;\n"
        f"    return tiny_infer(NULL, (int8_t[{N}]){{0}}, y) == TINY_NULL && tiny_submlp(&ctx, NULL, y) == TINY_NULL "
        "? 0 : 3;\n}\n"
    )
    program, sources = tmp_path / "refuses", [*out.glob("*.c")]
    subprocess.run(["gcc", "-std=c99", "-o", program, *sources], check=True)
    assert subprocess.run([program], check=False).returncode == 0


def test_an_unsupported_operator_is_named_with_its_place_and_nothing_is_written(tmp_path, run_stage, capfd):
    g = Graph()
    y = g.node("Sigmoid", g.node("Flatten", g.input("x", (1, 4))))
    source = write_artefact(tmp_path / "in", {"model": g.model(y)}, {"x": np.zeros((1, 4))})
    code, out = run_stage(source)
    assert (code, list(out.iterdir())) == (2, [])
    message = capfd.readouterr().err
    assert "Sigmoid_1 (Sigmoid, 2 of 2 in model)" in message and "would be possible" in message


def test_a_float_scale_left_in_the_graph_is_named(tmp_path, run_stage, capfd):
    g = Graph()
    y = g.node("Mul", g.input("x", (1, 4)), g.constant("scale", [0.5]))
    assert run_stage(write_artefact(tmp_path / "in", {"model": g.model(y)}, {"x": np.zeros((1, 4))}))[0] == 2
    assert "Constant scale of model holds values that are no integers" in capfd.readouterr().err


@pytest.mark.parametrize("shape", [(2, 4), (1, 0)])
def test_an_input_of_open_shape_or_of_a_batch_is_named(tmp_path, run_stage, capfd, shape):
    g = Graph()
    y = g.node("Identity", g.input("x", shape))
    assert run_stage(write_artefact(tmp_path / "in", {"model": g.model(y)}, {"x": np.zeros((1, 4))}))[0] == 2
    assert f"Input x of model has shape {list(shape)}" in capfd.readouterr().err


def test_a_sum_that_overflows_64_bits_is_refused(tmp_path, run_stage, capfd):
    g = Graph()
    x = g.input("x", (1, 2), "INT32")
    y = g.node("Mul", g.node("Mul", x, x), x)
    assert run_stage(write_artefact(tmp_path / "in", {"model": g.model(y)}, {"x": np.zeros((1, 2))}))[0] == 2
    assert "which no 64-bit integer holds" in capfd.readouterr().err


def test_a_sum_beyond_32_bits_gets_a_64_bit_accumulator(tmp_path, run_stage):
    g = Graph()
    y = g.node("MatMul", g.input("x", (1, 3), "INT24"), g.constant("w", np.full((3, 2), 100000)))
    code, out = run_stage(single(tmp_path / "in", g, [y]))
    assert code == 0
    assert (out / "ms_linear_i32_i32_ai64_i64_raw64.h").is_file()


def test_cancelling_partial_sums_are_counted_when_the_accumulator_is_chosen():
    from microstage_cbackend.read.dot_ranges import dot_range

    low, high, partial_low, partial_high = dot_range(np.array([[2**24, -(2**24)]]), 0, 127)
    assert (partial_low, partial_high) == (-127 * 2**24, 127 * 2**24)
    assert (low, high) == (partial_low, partial_high)
    assert dot_range(np.array([[3, -3]]), 5, 5) == (0, 0, -15, 15)


def test_missing_golden_boundary_is_named(harmonic, run_stage, capfd):
    golden = dict(np.load(harmonic / "golden.npz"))
    del golden["cell"]
    np.savez(harmonic / "golden.npz", **golden)
    assert run_stage(harmonic)[0] == 2
    assert "no boundary cell" in capfd.readouterr().err


def test_an_output_that_can_pass_its_declared_type_is_widened_and_named(tmp_path, run_stage, capfd):
    g = Graph()
    y = g.node("Add", g.input("x", (1, 4)), g.constant("one", [1]))
    g.types[y] = "INT8"
    code, out = run_stage(single(tmp_path / "in", g, [y]))
    assert code == 0 and any("int16_t *" in header.read_text() for header in out.glob("*.h"))
    assert "is declared INT8 but can reach -127..128" in "".join(capfd.readouterr())


def test_without_gcc_the_mending_command_is_named(harmonic, run_stage, capfd, monkeypatch, tmp_path):
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    assert run_stage(harmonic)[0] == 2
    assert "apt-get install gcc" in capfd.readouterr().err
