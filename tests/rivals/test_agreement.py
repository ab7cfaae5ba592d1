"""Every runtime computes the networks that the reference computes; what does not is never timed."""

from dataclasses import replace

import numpy as np
import pytest

from microstage.benchmarks import measuring
from microstage.benchmarks.__main__ import main
from microstage.benchmarks.agreement import check_layers, compare_whole
from microstage.benchmarks.contest import rivals_of
from microstage.benchmarks.memory import smallest_arena
from microstage.benchmarks.names import MLPERF_TINY, NETWORKS, RIVALS
from microstage.benchmarks.network import Conv
from microstage.benchmarks.report import ratios
from microstage.benchmarks.runtimes import TfLiteMicro
from microstage.benchmarks.tflite_twin import write_tflite
from microstage.benchmarks.twins import inputs_of, network_named
from microstage.errors import ModelError, ParameterError, VerificationError


@pytest.mark.parametrize("name", NETWORKS)
def test_every_rival_computes_the_network(name):
    network = network_named(name)
    inputs = inputs_of(network, 1, seed=3)
    rivals = rivals_of(network, RIVALS)
    assert {rival.name.split()[0] for rival in rivals} == (set(RIVALS) if name in MLPERF_TINY else {"onnxruntime"})
    for rival in rivals:
        layers = check_layers(rival, network, inputs)
        assert layers.different <= layers.compared / 10_000
        whole = compare_whole(rival, rival.load(network), network, inputs)
        assert not (rival.name == "tflm" and whole.different)


def test_runtime_of_another_network_is_refused():
    network = network_named("ds-cnn")
    first = network.layers[0]
    (rival,) = rivals_of(network, ["tflm"])
    wrong = replace(rival, load=lambda part: TfLiteMicro(replace(part, layers=(replace(first, bias=first.bias + 40),))))
    with pytest.raises(VerificationError, match="tflm computes another conv_0 of ds-cnn"):
        check_layers(wrong, network, inputs_of(network, 1))


def test_runtime_that_forgets_is_refused():
    network = network_named("kws-w3a3")
    (rival, *_) = rivals_of(network, ["onnxruntime"])
    runtime = rival.load(network)
    answers, honest = iter(range(100)), runtime.get
    runtime.get = lambda: honest() + next(answers)
    with pytest.raises(VerificationError, match="answers differently when kws-w3a3 is run again"):
        compare_whole(rival, runtime, network, inputs_of(network, 2))


def test_what_tflite_has_no_form_for_is_named():
    with pytest.raises(ModelError, match="dense_0 has a weight scale per output"):
        write_tflite(network_named("kws-w3a3"))
    network = network_named("resnet8")
    first = network.layers[0]
    assert isinstance(first, Conv)
    odd = replace(network, layers=(replace(first, pads=(2, 0, 0, 2)),))
    with pytest.raises(ModelError, match="neither SAME nor VALID"):
        write_tflite(odd)


def test_smallest_arena_is_the_smallest():
    network = network_named("autoencoder")
    arena = smallest_arena(network)
    TfLiteMicro(network, arena).call()
    with pytest.raises(RuntimeError):
        TfLiteMicro(network, arena - 256).call()


def test_fastest_form_of_a_rival_is_the_one_compared():
    medians = {"C99": 10.0, "tflm": 500.0, "onnxruntime a": 40.0, "onnxruntime b": 30.0}
    timings = {name: measuring.Timing(np.full(3, microseconds)) for name, microseconds in medians.items()}
    text = ratios("resnet8", timings, ["C99"])
    assert "onnxruntime b / C99" in text and "onnxruntime a" not in text
    assert "38: reached" in text and "50.00" in text
    assert "1.5: reached" in text, "the only variant is the fastest"


def test_command_prints_agreement_times_and_memory(capsys):
    assert main(["--models", "autoencoder", "--against", "litert,tflm", "--rounds", "3"]) == 0
    printed = capsys.readouterr().out
    assert "autoencoder: 264,192 multiply-accumulates" in printed and "all 5,120 equal" in printed
    with pytest.raises(ParameterError, match="onnxruntime, litert, tflm"):
        main(["--against", "tvm"])
