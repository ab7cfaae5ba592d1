"""Every runtime computes the networks that the reference computes; what does not is never timed."""

from dataclasses import replace

import numpy as np
import pytest

from microstage.errors import ModelError, VerificationError
from microstage_bench import measuring, onnx_ends
from microstage_bench.__main__ import memory_rows
from microstage_bench.compare import rivals_of
from microstage_bench.ends import End
from microstage_bench.memory import smallest_arena
from microstage_bench.names import MLPERF_TINY, NETWORKS, RIVALS
from microstage_bench.network import ConvLayer
from microstage_bench.onnx_model import write_onnx
from microstage_bench.outputs_agree import Vectors, check_layers, compare_whole, ends_of
from microstage_bench.reference import run
from microstage_bench.report import Measured, constants, ratios, summary
from microstage_bench.runtimes import LiteRt, OnnxRuntime, TfLiteMicro
from microstage_bench.subject import Subject
from microstage_bench.tflite_file import closing_softmax, ends_of_tflite, without_softmax
from microstage_bench.tflite_model import write_tflite
from microstage_bench.write_models import inputs_of, network_named


def vectors_of(network, count, rounding="half_even"):
    taken, given = ends_of(network)
    inputs = inputs_of(network, count, seed=3)
    return Vectors(
        [inputs[end.name] for end in taken], [run(network, inputs, rounding)[network.output]], taken, [given]
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_every_rival_computes_the_network(name):
    network = network_named(name)
    for rival in rivals_of(RIVALS if name in MLPERF_TINY else ["onnxruntime"]):
        layers = check_layers(rival, network, inputs_of(network, 1, seed=3))
        assert layers.different <= layers.compared / 10_000
        whole = compare_whole(rival.name, name, rival.running(network), vectors_of(network, 2, rival.rounding))
        assert not (rival.name == "tflm" and whole.different)


def test_runtime_of_another_layer_is_refused():
    network = network_named("drawn-ds-cnn")
    (rival,) = rivals_of(["tflm"])
    honest = rival.load

    def wrong(file):
        runtime = honest(file)
        get = runtime.get
        runtime.get = lambda: [(get()[0].astype(int) + 40).clip(-128, 127).astype(np.int8)]
        return runtime

    with pytest.raises(VerificationError, match="tflm computes another conv_0 of drawn-ds-cnn"):
        check_layers(replace(rival, load=wrong), network, inputs_of(network, 1))


def test_runtime_of_another_network_is_refused():
    network = network_named("drawn-kws-w3a3")
    first, *rest = network.layers
    other = replace(network, layers=(replace(first, weights=-first.weights), *rest))
    for model in (write_onnx(other), write_onnx(network_named("drawn-autoencoder"))):
        with pytest.raises(VerificationError, match="onnxruntime computes another network than drawn-kws-w3a3"):
            compare_whole("onnxruntime", network.name, OnnxRuntime(model), vectors_of(network, 8))


class Difference:
    """A runtime of two inputs, `left` - `right`, that takes them in that order."""

    inputs = [End("left", (2,), np.dtype(np.int8), 1.0), End("right", (2,), np.dtype(np.int8), 1.0)]
    outputs = [End("sum", (3,), np.dtype(np.int32), 1.0), End("difference", (2,), np.dtype(np.int32), 1.0)]

    def put(self, values):
        self.left, self.right = (value.astype(np.int32) for value in values)

    def call(self):
        pass

    def get(self):
        return [np.zeros((1, 3), np.int32), self.left - self.right]


def test_inputs_and_outputs_are_matched_by_name():
    runtime = Difference()
    left, right = np.arange(8).reshape(4, 2), np.arange(8, 0, -1).reshape(4, 2)
    vectors = Vectors([right, left], [left - right], runtime.inputs[::-1], runtime.outputs[1:])
    assert compare_whole("it", "two", runtime, vectors).different == 0


def test_runtime_that_forgets_is_refused():
    network = network_named("drawn-kws-w3a3")
    runtime = OnnxRuntime(write_onnx(network))
    answers, honest = iter(range(100)), runtime.get
    runtime.get = lambda: [honest()[0] + next(answers)]
    with pytest.raises(VerificationError, match="answers differently when drawn-kws-w3a3 is run again"):
        compare_whole("onnxruntime", network.name, runtime, vectors_of(network, 2))


def test_what_tflite_has_no_form_for_is_named():
    with pytest.raises(ModelError, match="dense_0 has a weight scale per output"):
        write_tflite(network_named("drawn-kws-w3a3"))
    network = network_named("drawn-resnet8")
    first = network.layers[0]
    assert isinstance(first, ConvLayer)
    odd = replace(network, layers=(replace(first, pads=(2, 0, 0, 2)),))
    with pytest.raises(ModelError, match="neither SAME nor VALID"):
        write_tflite(odd)


def with_softmax(file):
    """The .tflite file with a SOFTMAX behind its output, as classifiers of MLPerf Tiny end."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(file, 0)
    graph, operator, code, quantity = (
        model.subgraphs[0],
        schema.OperatorT(),
        schema.OperatorCodeT(),
        schema.QuantizationParametersT(),
    )
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SOFTMAX
    code.version = 2
    model.operatorCodes.append(code)
    quantity.scale, quantity.zeroPoint = [1 / 256], [-128]
    answer = schema.TensorT()
    answer.name, answer.shape, answer.type, answer.quantization = "answer", [1, 12], schema.TensorType.INT8, quantity
    graph.tensors.append(answer)
    operator.opcodeIndex, operator.inputs, operator.outputs = (
        len(model.operatorCodes) - 1,
        graph.outputs,
        [len(graph.tensors) - 1],
    )
    operator.builtinOptionsType, operator.builtinOptions = (
        schema.BuiltinOptions.SoftmaxOptions,
        schema.SoftmaxOptionsT(),
    )
    operator.builtinOptions.beta = 1.0
    graph.operators.append(operator)
    graph.outputs = [*operator.outputs]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_closing_softmax_is_found_and_taken_off_before_answers_are_compared():
    network = network_named("drawn-ds-cnn")
    plain = write_tflite(network)
    whole = with_softmax(plain)
    assert closing_softmax(plain) == 0 and closing_softmax(whole) == 12
    for runtime in (TfLiteMicro(without_softmax(whole)), LiteRt(without_softmax(whole))):
        assert compare_whole("it", network.name, runtime, vectors_of(network, 4, "tflite")).largest <= 2
    with pytest.raises(VerificationError, match="another network"):
        compare_whole("it", network.name, TfLiteMicro(whole), vectors_of(network, 4, "tflite"))


@pytest.mark.parametrize(
    "spoilt", [b"", b"no flatbuffer at all", write_tflite(network_named("drawn-autoencoder"))[:2000]]
)
def test_what_is_no_whole_tflite_file_is_one_sentence(spoilt):
    with pytest.raises(ModelError, match="no whole .tflite file"):
        ends_of_tflite(spoilt)


def test_multiply_accumulates_are_counted_in_the_file():
    for name in ("drawn-resnet8", "drawn-ds-cnn", "drawn-autoencoder"):
        network = network_named(name)
        assert onnx_ends.macs_and_weights(onnx_ends.with_batch_of_one(write_onnx(network))) == (
            network.macs,
            network.parameters,
        )


def test_smallest_arena_is_the_smallest():
    file = write_tflite(network_named("drawn-autoencoder"))
    arena = smallest_arena(file)
    TfLiteMicro(file, arena).call()
    with pytest.raises(RuntimeError):
        TfLiteMicro(file, arena - 256).call()


def test_a_rivals_fastest_form_and_the_same_variant_of_before_are_compared():
    medians = {
        "C99": 10.0,
        "vector": 8.0,
        "before: C99": 9.0,
        "before: vector": 8.0,
        "tflm": 500.0,
        "onnxruntime a": 40.0,
        "onnxruntime b": 30.0,
    }
    timings = {name: measuring.Timing(np.full(3, microseconds)) for name, microseconds in medians.items()}
    one = Measured("drawn-resnet8", "drawn-resnet8", timings, ["C99", "vector"], 105, 64, 100)
    text = ratios(one)
    assert "onnxruntime b / C99" in text and "onnxruntime a" not in text and "38: reached" in text and "50.00" in text
    assert (
        "before: C99 / C99" in text
        and "before: vector / C99" not in text
        and "0.95: 95% of it" in text
        and "1.5: reached" in text
    )
    assert "1.05 of" in constants(one) and ": reached" in constants(one)
    assert "not reached" in constants(replace(one, constants=106))
    row = summary([one]).splitlines()[-1]
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "drawn-resnet8",
        "50.00",
        "3.75",
        "1.00",
        "8.0",
        "1.05",
        "64",
    ]


def test_a_runtime_that_refuses_a_network_has_no_row_of_memory(tmp_path):
    (tmp_path / "it.onnx").write_bytes(b"nothing that onnxruntime loads")
    subject = Subject("it", tmp_path, onnx=tmp_path / "it.onnx")
    assert memory_rows(subject, [], ["generated C"]) == [["generated C"]]
