"""The float wrapper and the stream give what the integers and the window's own exponent say."""

import ctypes
import subprocess

import numpy as np
import pytest
from networks import N, harmonic_artefact


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    from microstage.stage import stage_main
    from microstage_cbackend.__main__ import run

    tmp_path = tmp_path_factory.mktemp("float")
    source, out = harmonic_artefact(tmp_path / "in"), tmp_path / "out"
    folders = ["--in", f"streamline={source}", "--out", str(out), "--scratch", str(tmp_path / "scratch")]
    assert stage_main("cbackend", run, folders) == 0
    sources = [p for p in out.glob("*.c") if p.name not in ("selftest.c", "bench.c")]
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-o", tmp_path / "tiny.so", *sources], check=True)
    return ctypes.CDLL(str(tmp_path / "tiny.so"))


def context():
    arena = ctypes.create_string_buffer(65536)
    return ctypes.c_void_p(ctypes.addressof(arena)), arena


def by_integers(library, window: np.ndarray) -> np.ndarray:
    from microstage.signals import block_float

    ints, exponent = block_float(window[None].astype(np.float64))
    answer, (ctx, _arena) = (ctypes.c_int32 * 4)(), context()
    assert library.tiny_infer(ctypes.byref(ctx), ints.ctypes.data_as(ctypes.c_void_p), answer) == 0
    return (np.array(answer) * np.array([0.1, 0.2, 0.3, 0.4]) * 2.0 ** int(exponent[0])).astype(np.float32)


def infer(library, window: np.ndarray) -> np.ndarray:
    answer, (ctx, _arena) = (ctypes.c_float * 4)(), context()
    assert library.tiny_infer_float(ctypes.byref(ctx), window.ctypes.data_as(ctypes.c_void_p), answer) == 0
    return np.array(answer, np.float32)


@pytest.mark.parametrize("amplitude", [0, 1e-9, 0.05, 0.5, 1, 3.7, 64, 50000, 1e9])
def test_float_wrapper_follows_the_gain_of_the_window(library, amplitude):
    random = np.random.default_rng(3)
    for window in (random.uniform(-1, 1, (20, N)) * amplitude).astype(np.float32):
        np.testing.assert_array_equal(infer(library, window), by_integers(library, window))


def test_halves_round_to_even(library):
    window = np.array([1, *np.arange(0.5, N - 1)], np.float32) / 128
    window[0] = 1
    np.testing.assert_array_equal(infer(library, window), by_integers(library, window))


def test_a_sample_that_is_no_number_is_refused(library):
    window, answer, (ctx, _arena) = np.full(N, np.nan, np.float32), (ctypes.c_float * 4)(), context()
    assert library.tiny_infer_float(ctypes.byref(ctx), window.ctypes.data_as(ctypes.c_void_p), answer) == 2


def test_stream_answers_each_step_with_the_last_window(library):
    wave = np.random.default_rng(0).normal(0, 3, 3 * N).astype(np.float32)
    stream, answer, (ctx, _arena) = ctypes.create_string_buffer(4 * N + 64), (ctypes.c_float * 4)(), context()
    library.tiny_push.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_float, ctypes.c_void_p]
    answered = []
    for index, sample in enumerate(wave):
        if library.tiny_push(ctypes.byref(ctx), stream, float(sample), answer) == 0:
            answered.append(index)
            np.testing.assert_array_equal(np.array(answer, np.float32), by_integers(library, wave[index - N + 1 : index + 1]))
    assert answered == list(range(N - 1, 3 * N, 2))
