"""Files that are no network, or that mean harm: one sentence, code 2, nothing written, nothing else read."""

import random

import numpy as np
import onnx
import pytest
from mutations import mutant
from onnx import TensorProto, helper
from stage_runs import StageOnFile
from user_files import finn_onnx, small

from microstage.errors import MicrostageError
from microstage_streamline.convert import convert_file


def outside(location):
    """Weights that are said to be in another file."""
    model = small().model()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.append(onnx.StringStringEntryProto(key="location", value=location))
    return model


def edited(change):
    model = small().model()
    change(model)
    return model


def cyclic(model):
    first, last = model.graph.node[0], model.graph.node[-2]
    first.input[0] = last.output[0]


def huge(model):
    model.graph.initializer.append(
        TensorProto(name="huge", dims=[1 << 31, 1 << 31], data_type=TensorProto.FLOAT, raw_data=b"1234")
    )
    model.graph.node[-1].input[0] = "huge"


def bomb(model):
    """A constant that is small in the file and not in memory."""
    shape = onnx.numpy_helper.from_array(np.array([1 << 20, 1 << 20]), "bomb.shape")
    model.graph.initializer.append(shape)
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["bomb.shape"], ["bomb"]))


def endless(model):
    """A function that calls itself."""
    calls = [helper.make_node("Again", ["a"], ["b"], domain="local")]
    model.functions.append(
        helper.make_function("local", "Again", ["a"], ["b"], calls, [helper.make_opsetid("local", 1)])
    )
    model.graph.node[2].op_type, model.graph.node[2].domain = "Again", "local"


def sparse(model):
    """A value at a place that there is not."""
    values, places = (onnx.numpy_helper.from_array(np.array([9]), name) for name in ("sparse", "places"))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [2, 2]))


def replaced(place, value):
    """The model with another constant in the place of one of its own."""

    def change(model):
        tensor = model.graph.initializer[place]
        tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))

    return edited(change)


def inner(model):
    body = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])], "body", [], [helper.make_tensor_value_info("z", 1, None)]
    )
    model.graph.node.insert(0, helper.make_node("If", ["x"], ["i"], then_branch=body, else_branch=body))


def quantised(width=4.0, scale=0.1):
    """The first quantiser with another width, or scale."""

    def change(model):
        for place, value in ((1, scale), (3, width)):
            name = f"absurd{place}"
            model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value, np.float32), name))
            next(node for node in model.graph.node if node.op_type == "Quant").input[place] = name

    return edited(change)


def shaped(*dims):
    """The input in another shape."""

    def change(model):
        shape = model.graph.input[0].type.tensor_type.shape
        shape.ClearField("dim")
        for dim in dims:
            shape.dim.add().dim_value = dim

    return edited(change)


def turned(name, value):
    """An attribute of the convolution that is something else."""

    def change(model):
        node = next(node for node in model.graph.node if node.op_type == "Conv")
        kept = [attribute for attribute in node.attribute if attribute.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute(name, value)])

    return edited(change)


def multiplied(calls):
    """Functions that each call the next one twice: small in the file, and without an end in memory."""

    def change(model):
        for place in range(calls):
            last = place == calls - 1
            inner = [("Relu", "") if last else (f"F{place + 1}", "local")] * 2
            body = [
                helper.make_node(op, [source], [made], domain=domain)
                for (op, domain), source, made in zip(inner, "am", "mb")
            ]
            opsets = [helper.make_opsetid("local", 1), helper.make_opsetid("", 13)]
            model.functions.append(helper.make_function("local", f"F{place}", ["a"], ["b"], body, opsets))
        model.opset_import.append(helper.make_opsetid("local", 1))
        model.graph.node.insert(0, helper.make_node("F0", ["x"], ["unread"], domain="local"))

    return edited(change)


def of_constants(op, *constants, **flags):
    """An operator on constants alone, which is evaluated when the file is read."""

    def change(model):
        names = [f"constant{place}" for place in range(len(constants))]
        model.graph.initializer.extend(
            onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in zip(names, constants)
        )
        model.graph.node.insert(0, helper.make_node(op, names, ["made"], name="hostile", **flags))

    return edited(change)


MALFORMED = {
    "empty": b"",
    "text": b"not a model" * 9,
    "zeros": bytes(1000),
    "truncated": small().model().SerializeToString()[:-700],
    "cycle": edited(cyclic),
    "huge constant": edited(huge),
    "branch": edited(inner),
    "external data": outside("weights.bin"),
    "path traversal": outside("../../../../etc/passwd"),
    "absolute path": outside("/etc/passwd"),
    "unknown operator": edited(lambda m: setattr(m.graph.node[2], "op_type", "Frobnicate")),
    "unknown domain": edited(lambda m: setattr(m.graph.node[2], "domain", "com.example")),
    "missing tensor": edited(lambda m: m.graph.node[3].input.__setitem__(0, "nowhere")),
    "computed twice": edited(lambda m: m.graph.node[3].output.__setitem__(0, m.graph.node[2].output[0])),
    "no output": edited(lambda m: m.graph.ClearField("output")),
    "other output": edited(lambda m: setattr(m.graph.output[0], "name", "nowhere")),
    "no input": edited(lambda m: m.graph.ClearField("input")),
    "open shape": edited(lambda m: m.graph.input[0].type.tensor_type.shape.dim[2].Clear()),
    "old opset": edited(lambda m: setattr(m.opset_import[0], "version", 6)),
    "future": edited(lambda m: setattr(m, "ir_version", 99)),
    "not finite": replaced(0, np.float32(np.nan)),
    "wrong bytes": edited(lambda m: setattr(m.graph.initializer[-1], "raw_data", b"12345")),
    "wrong shape": replaced(4, np.ones((2, 2, 2), np.float32)),
    "unknown datatype": finn_onnx("UINT8; DROP TABLE"),
    "no opset": edited(lambda m: m.ClearField("opset_import")),
    "constant answer": edited(lambda m: m.graph.output.add(name=m.graph.initializer[0].name)),
    "answer that is an input": edited(lambda m: m.graph.output.add(name="x")),
    "row without samples": edited(lambda m: m.graph.input[0].type.tensor_type.shape.ClearField("dim")),
    "whole numbers of 64 bits": edited(
        lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.INT64)
    ),
    "functions without an end": edited(endless),
    "sparse outside": edited(sparse),
    "text constant": replaced(0, np.array(["a"], object)),
    "name of two lines": edited(lambda m: setattr(m.graph.node[2], "name", "a\nb")),
    "negative size": edited(lambda m: m.graph.initializer[0].dims.append(-1)),
}
_IMAGE, _FILTER = np.ones((1, 1, 4, 4), np.float32), np.ones((1, 1, 2, 2), np.float32)
ABSURD = {  # what the sentence says, too
    "no width": (quantised(width=0), "a width of 0 bits; expected one whole number of bits, 1 to 32"),
    "negative width": (quantised(width=-1), "-1 bits"),
    "fraction of a bit": (quantised(width=2.5), "2.5 bits"),
    "33 bits": (quantised(width=33), "33 bits"),
    "10^9 bits": (quantised(width=1e9), "1e+09 bits"),
    "several widths": (quantised(width=[[4, 8, 4]]), "3 widths"),
    "no step": (quantised(scale=0), "a scale of 0"),
    "64 bits annotated": (finn_onnx("INT64"), "expected at most 32 bits"),
    "10^12 values": (shaped(1, 10**6, 10**6), "at most 8388608 values"),
    "10^7 samples": (shaped(10**7, 3, 6, 6), "of a batch"),
    "1000 axes": (shaped(*[1] * 1000), "1000 axes; at most 8"),
    "overflowing shape": (shaped(1, 2**62, 4), "of a sample"),
    "steps of 0": (turned("strides", [0, 0]), "strides [0, 0]; expected whole numbers from 1"),
    "steps of 0 of constants": (of_constants("Conv", _IMAGE, _FILTER, strides=[0, 0]), "strides [0, 0]"),
    "blocks of 0": (of_constants("SpaceToDepth", _IMAGE, blocksize=0), "blocksize 0"),
    "negative pads": (turned("pads", [-1, 0, 0, 0]), "pads [-1, 0, 0, 0]"),
    "group of 2^40": (turned("group", 2**40), "group 1099511627776"),
    "wide pads": (turned("pads", [0, 0, 0, 10**6]), "makes a tensor of shape [1, 4, 4, 1000004]"),
    "copies": (
        of_constants("Tile", _IMAGE, np.array([1, 1, 1, 10**8])),
        "makes a constant of shape [1, 1, 4, 400000000]",
    ),
    "a constant of shape": (edited(bomb), "makes a constant of shape [1048576, 1048576]"),
    "functions of functions": (multiplied(60), "has more than 10^9 nodes; at most 8192"),
    "one output more": (edited(lambda m: m.graph.node[0].output.append("more")), "computes no more of it"),
    "too many nodes": (edited(lambda m: m.graph.node.extend([m.graph.node[0]] * 9000)), "nodes; at most 8192"),
}


def refused(own, model, capfd) -> str:
    capfd.readouterr()
    (own.source / "names.json").write_text('{"model.onnx": "my net.onnx"}')
    assert own.run(model) == 2
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("microstage streamline: my net.onnx: ") and said[0].endswith(".")
    assert "Traceback" not in said[0] and str(own.source) not in said[0]
    assert not any(own.out.iterdir())
    return said[0]


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_files_are_one_sentence(kind, tmp_path, capfd):
    refused(StageOnFile(tmp_path), MALFORMED[kind], capfd)


@pytest.mark.parametrize("kind", ABSURD)
def test_what_is_small_in_the_file_and_absurd_in_memory_or_time_is_refused_before_it_is_made(kind, tmp_path, capfd):
    model, said = ABSURD[kind]
    assert said in refused(StageOnFile(tmp_path), model, capfd)


def test_a_network_of_more_work_than_can_be_proven_is_refused(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("microstage_streamline.normalise.normaliser.MOST_WORK", 1000)
    assert "needs more than 1000 multiplications up to Conv_" in refused(StageOnFile(tmp_path), small().model(), capfd)


def test_weights_are_read_from_the_folder_of_the_model_alone(tmp_path, capfd):
    own, size = StageOnFile(tmp_path), len(small().model().graph.initializer[0].raw_data)
    (own.source / "weights.bin").write_bytes(bytes(size - 1))
    assert "is damaged" in refused(own, MALFORMED["external data"], capfd)
    (own.source / "weights.bin").unlink()
    (tmp_path / "weights.bin").write_bytes(small().model().graph.initializer[0].raw_data)
    (own.source / "weights.bin").symlink_to(tmp_path / "weights.bin")
    assert "outside the model's folder" in refused(own, MALFORMED["external data"], capfd)
    assert "outside the model's folder" in refused(own, outside("../weights.bin"), capfd)
    (own.source / "weights.bin").unlink()
    assert "no such file beside the model" in refused(own, MALFORMED["external data"], capfd)


def test_bytes_changed_at_random_never_end_in_a_traceback(tmp_path):
    """Any byte may be wrong: the file is read, or refused in one sentence."""
    whole, rng = small().model().SerializeToString(), np.random.Generator(np.random.PCG64(0))
    path, refusals = tmp_path / "model.onnx", 0
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 5)):
            data[place] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        refusals += is_refused(path)
    assert refusals > 50


def test_networks_changed_at_random_are_refused_or_proven(tmp_path, capfd):
    """Attributes, sizes, types, constants and edges of networks that are right: each is refused in one sentence, or
    proven in full.
    """
    rng, proven = random.Random(0), 0
    for count in range(150):
        own = StageOnFile(tmp_path / str(count))
        (own.source / "model.onnx").write_bytes(mutant(rng, small().model()).SerializeToString())
        if not is_refused(own.source / "model.onnx") and proven < 5:
            code = own.run((own.source / "model.onnx").read_bytes())
            assert code in (0, 2, 3), capfd.readouterr().err
            found = own.metrics()["compared"]["layers"] if code == 0 else None
            proven += found is not None
            assert found is None or found["values"] > 0 and not found["uncompared"]
    assert proven == 5


def is_refused(path) -> bool:
    try:
        convert_file(path)
    except MicrostageError as error:
        assert str(error).endswith(".")
        return True
    return False


def mixing(op, *constants, **flags):
    """An operator that moves or mixes samples, in front of the last layer."""

    def change(model):
        place = next(i for i, node in enumerate(model.graph.node) if node.op_type == "Flatten")
        source, names = model.graph.node[place].input[0], [f"mixing{i}" for i in range(len(constants))]
        model.graph.initializer.extend(
            onnx.numpy_helper.from_array(np.asarray(c, np.int64), n) for c, n in zip(constants, names)
        )
        model.graph.node.insert(place, helper.make_node(op, [source, *names], ["mixed"], name="mixing", **flags))
        model.graph.node[place + 1].input[0] = "mixed"

    return edited(change)


MIXING = {
    "transposed": mixing("Transpose", perm=[1, 0, 2, 3]),
    "unsqueezed": mixing("Unsqueeze", [0]),
    "flattened": mixing("Flatten", axis=0),
    "joined": mixing("Concat", axis=-4),
    "cut": mixing("Slice", [0], [2], [0], [2]),
}


@pytest.mark.parametrize("kind", MIXING)
def test_what_mixes_samples_is_refused_at_its_node(kind, tmp_path, capfd):
    own = StageOnFile(tmp_path)
    own.run(MIXING[kind])
    (said,) = capfd.readouterr().err.splitlines()
    assert "mixing (" in said and "samples" in said and not any(own.out.iterdir())
