"""Sound into the written C: the features that Python computes, the same bytes everywhere, and the answers that
follow."""

import json
import shutil
import subprocess
import wave

import numpy as np
import prove_sound
import pytest
from graphs import Graph, single
from prove_sound import EMULATED, assert_near, heard

from microstage.datasets.speech import words
from microstage.datasets.speech.cepstra import CEPSTRA
from microstage.errors import VerificationError
from microstage.interface.cepstra import Cepstra
from microstage_bench.emulators import MACHINES
from microstage_bench.footprint import cortex_m4
from microstage_bench.footprint.by_layer import by_layer, marked
from microstage_bench.footprint.firmware import Build, firmware_of
from microstage_cbackend.generate import read_model
from microstage_cbackend.vectors.sounds import levels
from microstage_cbackend.writers.features_tables import Tables

SCALE, CLASSES = 0.3367, ["one", "zw\u00f6lf", 'th"ree\\ @NAME@??/']
# a transform that is no power of 4, coarse bands, a zero point; a window that is no whole number of hops, and few
# samples
LONG = Cepstra("features", 16000, 8000, 640, 320, 1024, 20, 60.0, 7600.0, 1e-5, 8)
SHORT = Cepstra("features", 8000, 3000, 200, 80, 256, 24, 20.0, 4000.0, 1e-6, 13)


def weights(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-7, 8, (size, len(CLASSES)))


def artefact(folder, features: Cepstra, zero: int = 0, scale: float = SCALE):
    """A streamlined network of one layer on `features`."""
    size, g = features.frames * features.coefficients, Graph()
    x = g.input("features", (1, size))
    x = g.node("Add", x, g.constant("zero", [[-zero]])) if zero else x
    g.node("MatMul", x, g.constant("weights", weights(size)), outputs=["logits"])
    single(folder, g, ["logits"])
    entry = {"datatype": "INT8", "range": [-128, 127], "shape": [1, size], "scale": scale, "zero_point": zero}
    described = {
        "features": features.described(),
        "parts": {"model": {"inputs": {"features": entry}, "outputs": {"logits": {"scale": 0.5}}}},
    }
    (folder / "interface.json").write_text(json.dumps(described))
    (folder / "model_def.json").write_text(json.dumps({"model": "ear", "classes": CLASSES}))
    return folder


def sounds() -> np.ndarray:
    """int16 [48, 16000]: words, silence, noise of one level and of all, a quiet and a loud chirp, no sample above zero,
    a late click."""
    rng, t = np.random.Generator(np.random.PCG64(3)), np.arange(16000) / 16000
    chirp = np.sin(2 * np.pi * (50 + 3500 * t) * t) + rng.normal(0, 1e-3, 16000)
    late = np.where(t > 0.97, rng.normal(0, 3000, 16000), 0)
    odd = [
        0 * t,
        rng.integers(-1, 2, 16000),
        rng.integers(-(2**15), 2**15, 16000),
        50 * chirp,
        32000 * chirp,
        -1000 - 900 * chirp,
        late,
    ]
    odd = np.clip(np.stack(odd), -(2**15), 2**15 - 1).astype(np.int16)
    return np.concatenate([odd, words.clips("test", 41, rng).pcm])


def test_features_are_pythons_and_the_same_bytes_by_every_compiler_and_c_library(tmp_path, run_stage, monkeypatch):
    """Hosts at -O0 and -O3, and newlib on a Cortex-M4 where its emulator is here."""
    code, out = run_stage(artefact(tmp_path / "in", CEPSTRA))
    assert code == 0
    model, pcm = read_model(tmp_path / "in"), sounds()
    facts = model.facts_of_ends()["features"]
    expected = levels(CEPSTRA, pcm, facts)
    classes = np.argmax(expected @ weights(490), axis=1)
    forms = [("gcc", ("-O0",), ()), ("gcc", ("-O3",), ()), ("clang", ("-O3",), ())]
    forms += [(m.compiler, ("-O2", *m.flags, *m.link), m.emulator) for m in EMULATED if not m.missing]
    first = None
    for compiler, flags, emulator in [form for form in forms if shutil.which(form[0])]:
        found = heard(model, out, pcm, compiler, (*flags, "-Wall", "-Wextra", "-Werror"), emulator)
        first = first or found
        row = assert_near("ear", expected, classes, found, first, compiler, flags[0])
        assert row[3:5] == ("48", "23,520")
    monkeypatch.setattr(prove_sound, "HOST", [("gcc", ("-O1",))])
    monkeypatch.setattr(prove_sound, "EMULATED", [])
    training = {"parameters": {"dataset": "words", "clips": 240, "seed": 2}, "data": None}
    (row,) = prove_sound.prove({"name": "ear", "graphs": tmp_path / "in", "c": out, **training})
    assert row[:5] == ("ear", "gcc", "-O1", "420", "205,800") and row[-1] == "0", "every clip of the dataset"
    first.features[0, 0] += 2
    with pytest.raises(VerificationError, match="by up to 2 levels"):
        assert_near("ear", expected, classes, first, first, "gcc", "-O0")


def heard_in_a_file(example, features: Cepstra, model) -> None:
    """The program for WAV files prints the features of the first window, and a class; nothing of another kind of
    file."""
    pcm = sounds()[20, : features.samples]
    for rate in (features.rate, 8000):
        with wave.open(str(example / f"{rate}.wav"), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(pcm.astype("<i2").tobytes())
    subprocess.run(["make", "-s", "CFLAGS=-O2 -Wall -Wextra -Werror"], cwd=example, check=True)
    said = subprocess.run(
        ["./ear_wav", f"{features.rate}.wav", "features"], cwd=example, capture_output=True, text=True, check=True
    ).stdout
    first, *rows = said.splitlines()
    assert first.startswith("0.50 s: ") and first[8:] in CLASSES
    expected = levels(features, pcm[None], model.facts_of_ends()["features"])
    assert np.array_equal(np.array([row.split() for row in rows], int).ravel(), expected[0])
    refused = subprocess.run(["./ear_wav", "8000.wav"], cwd=example, capture_output=True, text=True)
    assert refused.returncode == 2 and "expected a WAV file of 16 bits, mono, at 16000 Hz" in refused.stderr


@pytest.mark.parametrize("features,zero", [(LONG, -20), (SHORT, 0)], ids=["long", "short"])
def test_other_windows_transforms_and_zero_points_are_proven_by_the_stage(features, zero, tmp_path, run_stage):
    code, out = run_stage(artefact(tmp_path / "in", features, zero, scale=0.21))
    assert code == 0
    proved = {entry["boundary"]: entry for entry in json.loads((out / "report.json").read_text())["verification"]}
    streams = features.samples % features.hop == 0
    either = {name.removeprefix("small.") for name in proved}  # where C for small machines differs, it is proven too
    assert {name for name in either if "." in name} == {
        "sound.features",
        "sound.logits",
        "interpreter.infer",
        *(["stream.features"] if streams else []),
    }
    assert (
        proved["sound.features"]["compared"]
        == proved["sound.features"]["equal"]
        >= 3 * features.frames * features.coefficients
    )
    header, read_me = ((out / name).read_text() for name in ("ear_features.h", "README.md"))
    assert ("ear_sound_push" in header) == (
        "ear_sound_push" in read_me
    ) == streams and f"{features.samples} of them" in read_me
    assert f"ear_features(const ear_ctx *ctx, const int16_t pcm[{features.samples}]" in header
    assert (out / "examples" / "wav").is_dir() == streams
    if streams:
        heard_in_a_file(out / "examples" / "wav", features, read_model(tmp_path / "in"))
    if shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"):
        run = ["timeout", "120", "make", "-s", "run", "CFLAGS=-O2 -Werror"]
        printed = subprocess.run(run, cwd=out / "examples" / "board", capture_output=True, text=True, check=True).stdout
        heard_there = next(
            line for line in printed.splitlines() if line.startswith(f"sound of {features.samples} samples")
        )
        assert (
            heard_there.endswith("equal")
            and any(f": {name}, equal" in heard_there for name in CLASSES)
            and "all equal" in printed
        )


@pytest.mark.parametrize("table", ["hann", "cosine", "rising", "roots", "logarithms", "cosines"])
def test_a_table_that_is_wrong_is_told_before_anything_is_published(table, tmp_path, run_stage, monkeypatch, capfd):
    right = getattr(Tables, table).fget
    monkeypatch.setattr(Tables, table, property(lambda self: right(self) * 0.9))
    code, out = run_stage(artefact(tmp_path / "in", SHORT))
    assert (
        code == 3
        and not list(out.glob("*.c"))
        and "differs from the reference at sound.features[" in capfd.readouterr().err
    )


def test_features_of_another_input_or_of_many_scales_are_one_sentence(tmp_path, run_stage, capfd):
    source = artefact(tmp_path / "in", SHORT)
    described = json.loads((source / "interface.json").read_text())
    (source / "interface.json").write_text(
        json.dumps({**described, "features": {**SHORT.described(), "input": "sound"}})
    )
    assert run_stage(source)[0] == 2 and "are of sound, which is none of the inputs: features" in capfd.readouterr().err
    (source / "interface.json").write_text(
        json.dumps({**described, "features": {**SHORT.described(), "coefficients": 12}})
    )
    assert run_stage(source)[0] == 2 and "have 36 frames of 12, but features is [1, 468]" in capfd.readouterr().err
    described["parts"]["model"]["inputs"]["features"]["scale"] = [0.1] * 468
    (source / "interface.json").write_text(json.dumps(described))
    assert run_stage(source)[0] == 2 and "expected one scale" in capfd.readouterr().err


def test_footprint_measures_what_a_network_takes_from_sound(tmp_path, run_stage):
    """Sounds are made up, as no golden vector holds one; the features cost more than this one layer on them."""
    build = Build(next(m for m in MACHINES if m.name == cortex_m4.NAME), "gcc", "-O2")
    if build.missing:
        pytest.skip(build.missing)
    code, out = run_stage(artefact(tmp_path / "in", SHORT))
    assert code == 0
    with firmware_of(out) as alone, firmware_of(out, "infer_sound") as hears:
        infer, hear = alone.measure(build), hears.measure(build)
        assert hear.flash > infer.flash and hear.instructions > 10 * infer.instructions
        assert hear.instructions < cortex_m4.modelled(hears, build, hear.instructions) < 2 * hear.instructions
        with marked(hears) as (with_marks, layers):
            assert 0 < sum(by_layer(with_marks, build)) < hear.instructions / 10 and layers
