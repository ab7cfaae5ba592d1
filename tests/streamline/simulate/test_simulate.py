"""FINN's RTL of every layer under Verilator, beside the integers of the artefact, and what is said of the rest."""

import shutil
import sys

import numpy as np
import pytest
from networks import Part
from stage_runs import StageOnFile
from tflite_networks import separable

from microstage_streamline.simulate import __main__ as simulate
from microstage_streamline.simulate.layers import layers_of
from microstage_streamline.simulate.vectors import GraphVectors, tensors, vectors_of

KERNELS = {
    "bnn-library.h": '#include <hls_stream.h>\n#include <hls_vector.h>\n#include "flatten.hpp"\n',
    "dup.hpp": """
template <typename T> void StreamingDup(hls::stream<T> &from, hls::stream<T> &one, hls::stream<T> &other) {
    if (from.empty()) return;
    T const value = from.read();
    one.write(value);
    other.write(value);
}
""",
    "flatten.hpp": """
#pragma once
#include <ap_int.h>
template <typename T> constexpr int width_v = 0;
template <int W> constexpr int width_v<ap_int<W>> = W;
template <int W> constexpr int width_v<ap_uint<W>> = W;
template <typename T, size_t N> ap_uint<N * width_v<T>> flatten(T const (&buffer)[N]) {
    ap_uint<N * width_v<T>> flat = 0;
    for (size_t j = 0; j < N; j++) flat |= ap_uint<N * width_v<T>>(ap_uint<width_v<T>>(buffer[j])) << j * width_v<T>;
    return flat;
}
template <typename T, size_t N> void unflatten(T (&buffer)[N], ap_uint<N * width_v<T>> const &flat) {
    for (size_t j = 0; j < N; j++) buffer[j] = T(ap_uint<width_v<T>>(flat >> j * width_v<T>));
}
template <typename T> struct Slice {
    template <int W> struct Of {
        ap_uint<W> flat;
        T operator()(size_t j, unsigned) const { return T(ap_uint<width_v<T>>(flat >> j * width_v<T>)); }
    };
    template <int W> Of<W> operator()(ap_uint<W> const &flat) const { return {flat}; }
};
""",
}
"What three kinds of layers take from finn-hlslib, in our words; dup.hpp may be read once only, as some of its headers."

pytestmark = pytest.mark.skipif(shutil.which("verilator") is None, reason="verilator is not on PATH")


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    part = Part([1, 12], 3)
    part.dense(8, 4)
    return made(part, tmp_path_factory.mktemp("dense"))


def made(part, folder):
    """Return the artefact of a part."""
    stage = StageOnFile(folder)
    random = np.random.Generator(np.random.PCG64(1))
    assert stage.run(part.finish(True)[0], x=random.integers(-127, 128, (8, *part.entry["shape"][1:]))) == 0
    return stage.out


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["simulate", *map(str, words)])
    return simulate.main()


def test_rtl_gives_the_golden_integers(artefact, monkeypatch, capsys):
    assert run(monkeypatch, artefact, "--integers", 3000) == 0
    compared, rest = capsys.readouterr().out.strip().splitlines()[-1].split(" integers compared, ")
    assert int(compared.replace(",", "")) >= 3000 and rest.startswith("0 differ")


def test_cpp_gives_the_golden_integers_with_kernels_that_guard_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(simulate.shutil, "which", lambda name: None)
    part = Part([1, 12], 3)
    part.dense(8, 4)
    part.activate(4, True)
    kept = part.value
    part.dense(8, 4)
    part.activate(4, True)
    part.value = part.add("Add", [part.value, kept])
    artefact = made(part, tmp_path / "sum")
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    for name, text in KERNELS.items():
        (kernels / name).write_text(text)
    assert run(monkeypatch, artefact, "--integers", 1000, "--hlslib", kernels) == 0
    said = capsys.readouterr().out
    assert "ElementwiseAdd_hls_0" in said and "not run: DuplicateStreams_hls_0" not in said
    assert " 0 differ; " in said.splitlines()[-1]
    (kernels / "flatten.hpp").write_text("#error no kernels\n")
    frames, inputs = [], GraphVectors.inputs
    monkeypatch.setattr(GraphVectors, "inputs", lambda self, count: (frames.append(count), inputs(self, count))[1])
    assert run(monkeypatch, artefact, "--hlslib", kernels) == 2
    assert frames == [1]
    assert "it does not compile: #error no kernels" in capsys.readouterr().out


def test_what_stands_in_front_of_a_softmax_is_simulated_layer_by_layer(tmp_path):
    stage = StageOnFile(tmp_path / "softmax")
    stage.parameters["partial"] = True
    assert stage.run(separable(0)[0]) == 0
    ((name, vectors),) = vectors_of(stage.out).items()
    assert name == "model_finn_streamlined" and len(vectors.seen[0]["t0"]) == 8
    built = simulate._hardware(vectors.model, "xc7z020clg400-1", 8192, stage.out / "finn" / "model" / "folding.json")
    layers = layers_of(built.layers, tensors(built.model, vectors.inputs(10)), tmp_path / "layers")
    assert [layer.name for layer in layers if layer.reason or not layer.expected] == []
    padding = [layer for layer in layers if layer.node.op_type.startswith("FMPadding")]
    assert padding and not any(layer.computes for layer in padding)
    assert all(len(value) == 10 for layer in layers for value in layer.expected.values())


def test_what_cannot_run_is_named_with_the_reason(artefact, monkeypatch, capsys):
    monkeypatch.setattr(simulate.shutil, "which", lambda name: None)
    assert run(monkeypatch, artefact) == 2
    assert "not run: MVAU_rtl_0, Thresholding_rtl_0: verilator is not on PATH" in capsys.readouterr().out


def test_hardware_that_compares_with_another_threshold_ends_with_code_3(artefact, monkeypatch, capsys):
    right = simulate._hardware

    def wrong(*asked):
        built = right(*asked)
        (first, *_) = (node for node in built.layers.graph.node if node.op_type == "Thresholding_rtl")
        built.layers.set_initializer(first.input[1], built.layers.get_initializer(first.input[1]) + 40)
        return built

    monkeypatch.setattr(simulate, "_hardware", wrong)
    assert run(monkeypatch, artefact, "--integers", 3000) == 3
    assert ", 0 differ" not in capsys.readouterr().out
