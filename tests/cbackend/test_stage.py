"""The stage from artefact to artefact: what it writes, what it proves, how it refuses."""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest
from networks import C, H, N, T

from microstage_cbackend.build import FLAGS, compile_and_run


def test_every_boundary_and_the_whole_network_are_compared(harmonic_made):
    record = {
        v["boundary"]: (v["compared"], v["equal"])
        for v in json.loads((harmonic_made / "report.json").read_text())["verification"]
    }
    counts = {"features": 6 * T * C, "hidden": 6 * T * H, "cell": 6 * T * H, "harmonics": 24, "whole.harmonics": 24}
    calls = 3  # of 1, 2 and the last of 4 steps
    counts |= {
        "stream.hidden": 6 * calls * H,
        "stream.cell": 6 * calls * H,
        "real.harmonics": 24,
        "refused.real.window": 10,
    }
    counts |= {f"small.{name}": n for name, n in counts.items()} | {"interpreter.infer": 24}
    assert record == {name: (n, n) for name, n in counts.items()}


def test_output_holds_sources_golden_vectors_and_metadata_but_no_binary(harmonic_made):
    names = {p.name for p in harmonic_made.iterdir()}
    assert {p.name for p in (harmonic_made / "test").iterdir()} == {"selftest.c", "bench.c", "golden.bin"}
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


def test_another_compiler_tests_the_same_bytes_and_is_noted_beside_them(
    harmonic_source, run_stage, tmp_path, monkeypatch
):
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
        code, out = run_stage(harmonic_source)
        assert code == 0
        made.append({file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()})
        shutil.rmtree(out)
    assert made[0] == made[1]
    assert [path.read_text() for path in tmp_path.rglob("compiler.txt")] == ["another 1.0\n"]


def test_library_uses_no_heap_no_float_and_no_written_globals(harmonic_made, tmp_path):
    sources = [p for p in harmonic_made.glob("*.c") if not p.name.endswith("_float.c")]
    text = "".join(p.read_text() for p in sources)
    for word in ("malloc", "free(", "float", "double"):
        assert word not in text
    for source in sources:
        subprocess.run(["gcc", "-std=c99", "-O2", "-c", "-o", tmp_path / "x.o", source], check=True)
        symbols = subprocess.run(["nm", tmp_path / "x.o"], check=True, capture_output=True, text=True).stdout
        assert not [line for line in symbols.splitlines() if line.split()[-2] in "bBdDcC"], source


def test_header_states_units_scales_and_ranges(harmonic_made):
    header = (harmonic_made / "tiny.h").read_text()
    assert "subcnn.window [1, 1, 12]: -127..127, scale 0.0078125, unit 2^exponent A" in header
    assert "scale [0.1, 0.2, 0.3, 0.4]" in header


@pytest.mark.parametrize(("boundary", "index"), [("features", (3, 2, 1)), ("hidden", (0, 1, 4))])
def test_a_single_wrong_integer_ends_with_code_3_and_is_named(
    harmonic_source, tmp_path, run_stage, capfd, boundary, index
):
    folder = shutil.copytree(harmonic_source, tmp_path / "in")
    golden = dict(np.load(folder / "golden.npz"))
    value = golden[boundary][index]
    wrong = value + (-1 if value > 0 else 1)
    golden[boundary][index] = wrong
    np.savez(folder / "golden.npz", **golden)
    code, out = run_stage(folder)
    assert code == 3 and not list(out.iterdir())
    assert f"at {boundary}{list(index)}: expected {wrong}, found {value} " in capfd.readouterr().err


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_makefile_of_the_output_checks_it(harmonic_made, tmp_path):
    copy = shutil.copytree(harmonic_made, tmp_path / "copy")
    done = subprocess.run(["make", "-s", "check"], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "equal whole.harmonics 24 24" in done.stdout


def test_sanitizers_find_nothing_at_O3(harmonic_made, tmp_path):
    checks = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    assert compile_and_run(shutil.copytree(harmonic_made, tmp_path / "copy"), {}, (*FLAGS, "-O3", *checks))


def test_an_input_outside_its_declared_range_is_refused_by_the_c(harmonic_made, tmp_path):
    (tmp_path / "refuses.c").write_text(
        '#include "tiny.h"\n#include <stddef.h>\nstatic tiny_arena a;\nstatic const tiny_ctx ctx = { &a };\nint \
main(void)\n{\n'
        f"    int8_t hidden[{H}] = {{0}};\n    int32_t y[4];\n    if (tiny_submlp(&ctx, hidden, y) != TINY_OK) return "
        "1;\n"
        "    hidden[2] = 32;\n    if (tiny_submlp(&ctx, hidden, y) != TINY_OUT_OF_RANGE) return 2;\n"
        f"    return tiny_infer(NULL, (int8_t[{N}]){{0}}, y) == TINY_NULL && tiny_submlp(&ctx, NULL, y) == TINY_NULL "
        "? 0 : 3;\n}\n"
    )
    program, sources = tmp_path / "refuses", [tmp_path / "refuses.c", *harmonic_made.glob("*.c")]
    subprocess.run(["gcc", "-std=c99", f"-I{harmonic_made}", "-o", program, *sources], check=True)
    assert subprocess.run([program], check=False).returncode == 0


def test_without_gcc_the_mending_command_is_named(harmonic_source, run_stage, capfd, monkeypatch, tmp_path):
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    assert run_stage(harmonic_source)[0] == 2
    assert "apt-get install gcc" in capfd.readouterr().err
