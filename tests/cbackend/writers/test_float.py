"""The float functions give what the reference answers to real inputs, or nothing is published; the stream gives the
same of each window."""

import ctypes
import json
import subprocess

import numpy as np
import pytest
from graphs import Graph, write_artefact
from networks import N

from microstage.signals import block_float
from microstage_cbackend.build import FLAGS


@pytest.fixture(scope="module")
def library(harmonic_made, tmp_path_factory):
    program = tmp_path_factory.mktemp("float") / "tiny.so"
    subprocess.run(["gcc", *FLAGS, "-shared", "-fPIC", "-o", program, *harmonic_made.glob("*.c")], check=True)
    return ctypes.CDLL(str(program))


def context():
    arena = ctypes.create_string_buffer(65536)
    return ctypes.c_void_p(ctypes.addressof(arena)), arena


def by_integers(library, window: np.ndarray) -> np.ndarray:
    ints, exponent = block_float(window[None].astype(np.float64))
    answer, (ctx, _arena) = (ctypes.c_int32 * 4)(), context()
    assert library.tiny_infer(ctypes.byref(ctx), ints.ctypes.data_as(ctypes.c_void_p), answer) == 0
    return (np.array(answer) * np.array([0.1, 0.2, 0.3, 0.4]) * 2.0 ** int(exponent[0])).astype(np.float32)


def infer(library, window: np.ndarray) -> np.ndarray:
    answer, (ctx, _arena) = (ctypes.c_float * 4)(), context()
    assert library.tiny_infer_float(ctypes.byref(ctx), window.ctypes.data_as(ctypes.c_void_p), answer) == 0
    return np.array(answer, np.float32)


@pytest.mark.parametrize("amplitude", [0, 1e-40, 1e-20, 1e-9, 0.05, 0.5, 1, 3.7, 64, 326e3, 1e9, 1e18])
def test_float_wrapper_follows_the_gain_of_the_window(library, amplitude):
    random = np.random.default_rng(3)
    for window in (random.uniform(-1, 1, (20, N)) * amplitude).astype(np.float32):
        np.testing.assert_array_equal(infer(library, window), by_integers(library, window))


def test_halves_round_to_even(library):
    window = np.array([1, *np.arange(0.5, N - 1)], np.float32) / 128
    window[0] = 1
    np.testing.assert_array_equal(infer(library, window), by_integers(library, window))


@pytest.mark.parametrize(
    "sample", [np.nan, np.inf, -np.inf, np.nextafter(np.float32(2.0**60), np.float32(np.inf)), -3e38]
)
def test_a_sample_that_is_no_number_or_beyond_the_gain_is_refused_until_it_has_left_the_stream(library, sample):
    wave = np.random.default_rng(0).normal(0, 3, 4 * N).astype(np.float32)
    wave[N + 1] = sample
    stream, answer, (ctx, _arena) = ctypes.create_string_buffer(4 * N + 64), (ctypes.c_float * 4)(), context()
    library.tiny_push.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_float, ctypes.c_void_p]
    codes = {last: library.tiny_push(ctypes.byref(ctx), stream, float(wave[last]), answer) for last in range(len(wave))}
    refused = {last: code == 2 for last, code in codes.items() if code != 3}
    assert refused == {last: last - N < N + 1 <= last for last in refused} and sum(refused.values()) > 3
    np.testing.assert_array_equal(
        np.array(answer, np.float32), by_integers(library, wave[max(refused) - N + 1 : max(refused) + 1])
    )


def test_stream_answers_each_step_with_the_last_window(library):
    wave = np.random.default_rng(0).normal(0, 3, 3 * N).astype(np.float32)
    stream, answer, (ctx, _arena) = ctypes.create_string_buffer(4 * N + 64), (ctypes.c_float * 4)(), context()
    library.tiny_push.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_float, ctypes.c_void_p]
    answered = []
    for index, sample in enumerate(wave):
        if library.tiny_push(ctypes.byref(ctx), stream, float(sample), answer) == 0:
            answered.append(index)
            np.testing.assert_array_equal(
                np.array(answer, np.float32), by_integers(library, wave[index - N + 1 : index + 1])
            )
    assert answered == list(range(N - 1, 3 * N, 2))


# A network of two inputs, one with a zero point and a scale for each value, whose scores have a scale and an offset
# each.
PHOTO = {"scale": [0.02, 0.5, 0.03, 1.0, 0.25, 0.125], "zero_point": 114, "low": 0, "high": 255}
MOOD = {"scale": 0.0625, "zero_point": 0, "low": -8, "high": 7}
SCORES = {"scale": [0.001, 0.25, 3e-05, 2.0], "offset": [0.0, -1234.5, 1e-07, 33.0]}


def quantised(values: np.ndarray, ends: dict) -> np.ndarray:
    """Integers without their zero point, as the page on numbers says: divided, rounded half to even, held in the
    range."""
    return (
        np.clip(np.rint(values / np.array(ends["scale"])) + ends["zero_point"], ends["low"], ends["high"]).astype(int)
        - ends["zero_point"]
    )


def scored(folder, count: int = 300):
    """The artefact as streamline writes it, on `count` real inputs up to twice as far as their ranges reach, ties among
    them."""
    random = np.random.default_rng(0)
    weights = random.integers(-9, 10, (6, 4)), random.integers(-9, 10, (3, 4))
    g = Graph()
    centred = g.node("Add", g.input("photo", (1, 6), "UINT8"), g.constant("centre", [[-114.0]]))
    sums = [
        g.node("MatMul", x, g.constant(f"w{k}", w))
        for k, (x, w) in enumerate(zip((centred, g.input("mood", (1, 3), "INT4")), weights))
    ]
    g.node("Add", *sums, outputs=["scores"])
    photo = (random.integers(-150, 300, (count, 6)) + random.choice([0, 0.25, 0.5], (count, 6))) * np.array(
        PHOTO["scale"]
    )
    mood = (random.integers(-16, 15, (count, 3)) + random.choice([0, 0.5], (count, 3))) * MOOD["scale"]
    photo, mood = photo.astype(np.float32), mood.astype(np.float32)
    ints = quantised(photo, PHOTO), quantised(mood, MOOD)
    total = ints[0] @ weights[0] + ints[1] @ weights[1]
    scores = (total * np.array(SCORES["scale"]) + np.array(SCORES["offset"])).astype(np.float32)
    golden = {
        "photo": ints[0] + 114,
        "mood": ints[1],
        "scores": total,
        "real.photo": photo,
        "real.mood": mood,
        "real.scores": scores,
    }
    facts = {
        "inputs": {
            "photo": {"datatype": "UINT8", "range": [0, 255], **{k: PHOTO[k] for k in ("scale", "zero_point")}},
            "mood": {"datatype": "INT4", "range": [-8, 7], **{k: MOOD[k] for k in ("scale", "zero_point")}},
        },
        "outputs": {"scores": {"datatype": "INT32", **SCORES}},
    }
    return write_artefact(folder, {"tiny": g.model("scores")}, golden, {"parts": {"tiny": facts}})


def test_scales_offsets_and_zero_points_are_compared_on_real_inputs(tmp_path, run_stage):
    code, out = run_stage(scored(tmp_path / "in"))
    assert code == 0
    record = {
        v["boundary"]: (v["compared"], v["equal"])
        for v in json.loads((out / "report.json").read_text())["verification"]
    }
    assert record["real.scores"] == (1200, 1200) and record["refused.real.photo"] == record["refused.real.mood"] == (
        6,
        6,
    )
    page, header = (out / "README.md").read_text(), (out / "tiny_float.h").read_text()
    assert (
        "-1234.5" in page
        and "the largest integer is not the largest value" in page
        and "tiny_infer_float gives" in page
    )
    assert "offset [0.0, -1234.5, 1e-07, 33.0]" in header and "zero point 114" in header


WRONG = {
    "no offset": lambda part: part["outputs"]["scores"].pop("offset"),
    "an offset that is another's": lambda part: part["outputs"]["scores"]["offset"].reverse(),
    "one scale for all": lambda part: part["outputs"]["scores"].update(scale=0.001),
    "another zero point": lambda part: part["inputs"]["photo"].update(zero_point=113),
    "a zero point of the answer": lambda part: part["outputs"]["scores"].update(zero_point=1),
    "a scale a millionth too large": lambda part: part["outputs"]["scores"].update(
        scale=[v * 1.000001 for v in SCORES["scale"]]
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_float_functions_that_answer_otherwise_are_not_published(tmp_path, run_stage, capfd, fault):
    folder = scored(tmp_path / "in")
    interface = json.loads((folder / "interface.json").read_text())
    WRONG[fault](interface["parts"]["tiny"])
    (folder / "interface.json").write_text(json.dumps(interface))
    code, out = run_stage(folder)
    message = capfd.readouterr().err
    assert (
        code == 3
        and "differs from the reference at real.scores[" in message
        and "expected" in message
        and "found" in message
    )
    assert not list(out.glob("*.c"))


def test_one_bit_is_the_sign(tmp_path, run_stage):
    """A bipolar input has no zero: -0.0 and all above it are 1."""
    g = Graph()
    g.node("MatMul", g.input("signs", (1, 5), "BIPOLAR"), g.constant("w", [[1], [2], [4], [8], [16]]), outputs=["code"])
    real = np.float32([[-0.0, 0.3, -0.3, 5, -5], [1e-30, -1e-30, 0, -1, 1], [-1] * 5, [1] * 5])
    ints = np.where(real >= 0, 1, -1)
    golden = {"signs": ints, "code": ints @ [[1], [2], [4], [8], [16]], "real.signs": real}
    facts = {
        "inputs": {"signs": {"datatype": "BIPOLAR", "range": [-1, 1], "scale": 2.0}},
        "outputs": {"code": {"datatype": "INT6", "scale": 0.5}},
    }
    golden["real.code"] = (golden["code"] * 0.5).astype(np.float32)
    code, out = run_stage(
        write_artefact(tmp_path / "in", {"tiny": g.model("code")}, golden, {"parts": {"tiny": facts}})
    )
    assert code == 0 and "real.code" in (out / "report.json").read_text()


NO_SCALES = {
    "of some values alone": (
        lambda part: part["outputs"]["scores"]["scale"].pop(),
        "scores has 4 values and interface.json a scale of 3",
    ),
    "of nothing": (
        lambda part: part["inputs"]["mood"].update(scale=0.0),
        "mood has the scale 0.0; expected finite numbers other than 0",
    ),
    "of no number": (lambda part: part["inputs"]["photo"]["scale"].__setitem__(1, float("nan")), "photo has the scale"),
}


@pytest.mark.parametrize("fault", NO_SCALES)
def test_a_scale_by_which_nothing_can_be_divided_is_one_sentence(tmp_path, run_stage, capfd, fault):
    folder, (change, said) = scored(tmp_path / "in"), NO_SCALES[fault]
    interface = json.loads((folder / "interface.json").read_text())
    change(interface["parts"]["tiny"])
    (folder / "interface.json").write_text(json.dumps(interface))
    assert run_stage(folder)[0] == 2 and said in capfd.readouterr().err
