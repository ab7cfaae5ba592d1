"""Networks whose parts all run at every step: whole records in integers, in real and in int16 samples, at rates of
their own."""

import ctypes
import json
import re
import shutil
import subprocess

import numpy as np
import prove
import pytest
from stepped import HARMONICS
from stepped_integers import Sizes, golden_of, models_of, settled, stepped_artefact
from written import write_files, write_folder

from microstage.errors import VerificationError
from microstage_cbackend.build import FLAGS, compile_and_run, run_selftest
from microstage_cbackend.generate import read_model
from microstage_cbackend.vectors.plan import make_plan

S = Sizes()
CHECKED = (*FLAGS, "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
FORMS = [
    Sizes(window_bits=8, samples=16, steps=1, length=5, levels=9, most=2, width=1, channels=1, hidden=3, seed=5),
    Sizes(window_bits=16, samples=40, steps=3, length=5, levels=13, channels=1, features=2, most=40, seed=6),
]


@pytest.fixture(scope="module")
def made(stepped_source, stepped_made):
    """(what the stage read, what it wrote)."""
    return stepped_source, stepped_made


@pytest.fixture(scope="module")
def library(made, tmp_path_factory):
    program = tmp_path_factory.mktemp("library") / "tiny.so"
    sources = [str(path) for path in made[1].glob("*.c")]
    subprocess.run(["gcc", *FLAGS, "-shared", "-fPIC", "-o", program, *sources], check=True)
    return ctypes.CDLL(str(program))


def test_every_step_of_every_record_is_compared(made):
    said = json.loads((made[1] / "report.json").read_text())["verification"]
    found = {v["boundary"]: (v["compared"], v["equal"]) for v in said}
    golden = np.load(made[0] / "golden.npz")
    counts = {
        name: golden[name].size
        for name in ("features", "estimate", "hidden", "cell", "correction", "sum_next", "count_next")
    }
    steps = {name: counts[name] for name in ("correction", "sum_next", "count_next")}
    answers = golden["real.amplitudes"].size
    wanted = (
        counts
        | {f"record.{name}": n for name, n in steps.items()}
        | {f"whole.{name}": n // S.length for name, n in steps.items()}
    )
    wanted |= {
        "real.amplitudes": answers,
        "whole.real.amplitudes": answers // S.length,
        "int16.real.amplitudes": answers,
    }
    wanted |= {f"int16.{name}": counts[name] for name in ("estimate", "hidden", "cell", "sum_next", "count_next")}
    wanted |= {f"small.{name}": n for name, n in wanted.items()}
    wanted |= {
        "interpreter.infer": sum(steps.values()) // S.length,
        "interpreter.step": sum(steps.values()),
    }
    assert {name: n for name, n in found.items() if not name.endswith("refused.real.waveform")} == {
        name: (n, n) for name, n in wanted.items()
    }
    assert found["refused.real.waveform"][0] == found["refused.real.waveform"][1] > golden["real.waveform"].size
    assert len({*golden["count_next"].ravel().tolist()}) == S.most  # means start anew, and forget


@pytest.mark.parametrize("sizes", FORMS, ids=lambda s: f"{s.window_bits} bits of {s.samples} samples")
def test_networks_of_other_forms(sizes, tmp_path):
    source = stepped_artefact(tmp_path / "in", sizes, 4)
    model = read_model(source)
    write_files(model, make_plan(model, dict(np.load(source / "golden.npz"))), tmp_path)
    results = compile_and_run(tmp_path, {}, CHECKED)
    assert all(r.compared == r.equal > 0 for r in results) and any(r.boundary.startswith("int16.") for r in results)


def other(change):
    """`settled` with its states changed."""
    return lambda s, state, shift: {
        name: change(name, value, shift) for name, value in settled(s, state, shift).items()
    }


FAULTS = {
    "states that do not follow the gain": lambda s, state, shift: settled(s, state, 0),
    "halves down": other(
        lambda name, value, shift: value - 1 if name == "sum" and shift > 0 and value.any() else value
    ),
    "phasors that do not turn": other(lambda name, value, shift: -value if name in ("estimate_1", "sum") else value),
    "a mean that never forgets": lambda s, state, shift: settled(
        s, {**state, "count": state["count"] - (state["count"] == s.most)}, shift
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_reference_that_settles_otherwise_is_told(fault, made, tmp_path, monkeypatch):
    """By the self test that the stage compiled, and publishes nothing without."""
    monkeypatch.setattr("stepped_integers.settled", FAULTS[fault])
    model, known = read_model(made[0]), dict(np.load(made[0] / "golden.npz"))
    plan = make_plan(model, golden_of(S, models_of(S), len(known["window"])))
    assert plan.widths() == make_plan(model, known).widths()
    shutil.copytree(made[1].parent / "scratch" / "build" / "test", tmp_path / "test")
    (tmp_path / "test" / "golden.bin").write_bytes(plan.data())
    with pytest.raises(VerificationError, match="differs from the reference at"):
        run_selftest(tmp_path, plan.shapes())


def test_a_readme_names_no_header_that_is_not_written(tmp_path):
    """Without real vectors, there are no functions on samples."""
    source = stepped_artefact(tmp_path / "in", count=2)
    golden = {name: values for name, values in np.load(source / "golden.npz").items() if not name.startswith("real.")}
    np.savez(source / "golden.npz", **golden)
    out = write_folder(source, tmp_path / "out")
    named = re.findall(r"\w+\.h\b", (out / "README.md").read_text())
    assert "tiny.h" in named and all((out / name).is_file() for name in named)


def test_random_records_are_proven_too(made, one_form):
    rows = list(prove.prove("tiny", *made, 60, 60))
    for row, values in zip(rows, (40, 16), strict=True):
        assert row[3] == "60" and row[-1] == "0" and int(row[4].replace(",", "")) > 60 * S.length * values


def test_integers_need_no_floating_point(made, tmp_path):
    """Cores without floats: neither the unit nor what it includes says the word, and it calls no routine for them."""
    text = subprocess.run(
        ["gcc", "-std=c99", "-E", "tiny_int16.c"], cwd=made[1], check=True, capture_output=True, text=True
    ).stdout
    own = "\n".join(part for part in text.split("# ") if '"tiny' in part[:40] or '"ms_' in part[:40])
    assert "ms_whole_answer" in own and "float" not in own and "double" not in own
    if not shutil.which("arm-none-eabi-gcc"):
        pytest.skip("arm-none-eabi-gcc is not installed")
    for unit in ("tiny_int16.c", "tiny.c"):
        subprocess.run(
            [
                "arm-none-eabi-gcc",
                "-std=c99",
                "-mcpu=cortex-m0",
                "-mthumb",
                "-O2",
                "-c",
                made[1] / unit,
                "-o",
                tmp_path / "unit.o",
            ],
            check=True,
        )
        symbols = subprocess.run(
            ["arm-none-eabi-nm", tmp_path / "unit.o"], check=True, capture_output=True, text=True
        ).stdout
        assert not [
            name for name in symbols.split() if name.startswith(("__aeabi_f", "__aeabi_d", "__aeabi_i2", "__aeabi_l2"))
        ]


def test_structures_have_the_sizes_that_are_said(made, tmp_path):
    said = {
        "tiny_state": "tiny.h",
        "tiny_stream": "tiny_float.h",
        "tiny_stream_int16": "tiny_int16.h",
        "tiny_follower": "tiny_follow.h",
    }
    lines = [f'printf("%d ", (int)sizeof({kind}));' for kind in said]
    includes = "".join(f'#include "{header}"\n' for header in said.values())
    (tmp_path / "sizes.c").write_text(
        f"#include <stdio.h>\n{includes}int main(void) {{ {' '.join(lines)} return 0; }}\n"
    )
    subprocess.run(["gcc", *FLAGS, f"-I{made[1]}", "-o", tmp_path / "sizes", tmp_path / "sizes.c"], check=True)
    found = subprocess.run([tmp_path / "sizes"], check=True, capture_output=True, text=True).stdout.split()
    for size, header in zip(found, said.values()):
        assert f", {size} bytes; " in (made[1] / header).read_text()
    assert max(map(int, found)) <= 1024


def test_a_sample_that_is_refused_changes_nothing_and_no_pointer_may_be_null(library):
    library.tiny_push.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_float, ctypes.c_void_p]
    arena, stream, answer = (
        ctypes.create_string_buffer(65536),
        ctypes.create_string_buffer(1024),
        (ctypes.c_float * 4)(),
    )
    context = ctypes.c_void_p(ctypes.addressof(arena))
    for sample in np.float32(np.random.default_rng(0).normal(0, 5, S.samples + 7)):
        library.tiny_push(ctypes.byref(context), stream, float(sample), answer)
    before, answered = stream.raw, [*answer]
    for sample in (np.nan, np.inf, -np.inf, 2.0**60 * 1.0000002, -3e38):
        assert library.tiny_push(ctypes.byref(context), stream, sample, answer) == 2
    assert library.tiny_push(ctypes.byref(context), stream, 2.0**60, answer) == 3
    assert stream.raw != before and [*answer] == answered
    assert (
        library.tiny_push(None, stream, 0.0, answer) == library.tiny_push(ctypes.byref(context), None, 0.0, answer) == 1
    )


A, PHASES = np.array([100, 30, 20, 15.0]), np.array([2.7, 0.6, 0.2, -1.0])
DFT = np.exp(-2j * np.pi * np.outer(np.arange(32), HARMONICS) / 64) / 16
RATES = [
    (50, 2000, 50.3, 0),
    (50, 30000, 45, 0),
    (60, 2000, 65, 0),
    (60, 12800, 61, -1),
    (50, 4000, 48, 1),
    (50, 4000, 65, 0),
]
DRIVER = """#include "tiny_follow.h"
#include "tiny_follow_table.h"
#include "ms_follow.h"
static ms_follower f;
long follow(float rate, float nominal, const float *x, long n, float *y)
{
    long given = 0;
    for (long i = ms_follow_start(&f, rate, nominal) ? 0 : n; i < n; i++) {
        ms_follow_put(&f, x[i]);
        given += ms_follow_next(&f, y + given) ? 1 + ms_follow_next(&f, y + given + 1) : 0;
    }
    return given;
}
float frequency(void) { return f.frequency; }
"""


@pytest.fixture(scope="module")
def follow(made, tmp_path_factory):
    """Samples at a rate -> those at 64 a cycle, and the frequency at the end."""
    folder = tmp_path_factory.mktemp("follow")
    (folder / "driver.c").write_text(DRIVER)
    subprocess.run(
        ["gcc", *FLAGS, "-shared", "-fPIC", f"-I{made[1]}", "-o", folder / "follow.so", folder / "driver.c"], check=True
    )
    library = ctypes.CDLL(str(folder / "follow.so"))
    library.frequency.restype = ctypes.c_float
    library.follow.argtypes = [ctypes.c_float, ctypes.c_float, ctypes.c_void_p, ctypes.c_long, ctypes.c_void_p]

    def call(rate: float, nominal: float, x: np.ndarray) -> tuple[np.ndarray, float]:
        x, y = np.ascontiguousarray(x, np.float32), np.zeros(3 * len(x), np.float32)
        return y[: library.follow(rate, nominal, x.ctypes.data, len(x), y.ctypes.data)], library.frequency()

    return call


def wave(turns: np.ndarray) -> np.ndarray:
    """Harmonics of mains that have made so many turns."""
    return (A * np.cos(2 * np.pi * np.array(HARMONICS) * turns[:, None] + PHASES)).sum(1).astype(np.float32)


def errors(samples: np.ndarray) -> np.ndarray:
    """The largest error of each half cycle by the half-cycle DFT, relative."""
    half_cycles = samples[: len(samples) // 32 * 32].reshape(-1, 32)
    return np.abs(np.abs(half_cycles @ DFT) / A - 1).max(1)


@pytest.mark.parametrize("nominal, rate, frequency, drift", RATES)
def test_the_mains_are_followed(nominal, rate, frequency, drift, follow):
    t = np.arange(rate) / rate
    samples, found = follow(rate, nominal, wave(frequency * t + drift * t * t / 2))
    assert found == pytest.approx(frequency + drift, abs=0.02)
    wrong = errors(samples)
    assert wrong[8:].max() < 0.01 and wrong[len(wrong) // 2 :].max() < (6e-4 if drift else 3e-4)


def test_jumps_noise_ripple_and_silence_do_not_lead_away(follow):
    t, turns = np.arange(20000) / 10000, 50.2 * np.arange(20000) / 10000
    random = np.random.default_rng(0)
    jump = wave(turns + (t > 1) / 4)
    assert np.sum(errors(follow(10000, 50, jump)[0])[20:] > 0.001) == 1
    assert np.abs(follow(10000, 50, wave(turns) + random.normal(0, 2.4, 20000))[1] - 50.2) < 0.05
    assert errors(follow(10000, 50, wave(turns) + 80 * np.cos(2 * np.pi * 3800 * t))[0])[20:].max() < 1e-3
    assert follow(10000, 50, wave(turns) * (t < 1))[1] == pytest.approx(50.2, abs=0.01)


@pytest.mark.parametrize("rate, nominal", [(1500, 50), (40000, 60), (np.nan, 50), (6400, np.inf), (6400, -50), (0, 0)])
def test_rates_that_cannot_be_followed_are_refused(rate, nominal, library):
    library.tiny_follow_start.argtypes = [ctypes.c_void_p, ctypes.c_float, ctypes.c_float]
    assert library.tiny_follow_start(ctypes.create_string_buffer(2048), rate, nominal) == 2


def test_what_is_followed_is_pushed(library, follow):
    x = wave(50.2 * np.arange(3000) / 7000)
    pushed, _ = follow(7000, 50, x)
    arena, answer = ctypes.create_string_buffer(65536), (ctypes.c_float * 4)()
    context, stream, follower = (
        ctypes.c_void_p(ctypes.addressof(arena)),
        ctypes.create_string_buffer(1024),
        ctypes.create_string_buffer(2048),
    )
    library.tiny_follow_start.argtypes = [ctypes.c_void_p, ctypes.c_float, ctypes.c_float]
    assert library.tiny_follow_start(follower, 7000, 50) == 0
    answers = []
    for function, kept, samples in ((library.tiny_push, stream, pushed), (library.tiny_follow, follower, x)):
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_float, ctypes.c_void_p]
        answers.append(
            [[*answer] for sample in samples if function(ctypes.byref(context), kept, float(sample), answer) == 0]
        )
    assert len(answers[0]) > 30 and answers[0] == answers[1]
