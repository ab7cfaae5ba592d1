"""Streamlined integers equal the reference's on random parts; types, thresholds and operators are as promised."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Part, branched_parts, convolutional_parts, dense_parts
from qonnx.core.onnx_exec import execute_onnx

from microstage.errors import ModelError
from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage_streamline.integerise.thresholds import search
from microstage_streamline.preceding_stage import convert_part
from microstage_streamline.prove.sequences import ChannelsLast

FINN_OPERATORS = {
    "MatMul",
    "MultiThreshold",
    "Im2Col",
    "MaxPoolNHWC",
    "Add",
    "Identity",
    "Transpose",
    "XnorPopcountMatMul",
}


@settings(max_examples=120, deadline=None)
@given(st.one_of(dense_parts(), convolutional_parts()), st.integers(0, 10**6))
def test_streamlined_integers_are_the_references(drawn, seed):
    source, interface = drawn
    model = convert_part(source, interface).model
    shape, (low, high) = interface["inputs"]["x"]["shape"], interface["inputs"]["x"]["range"]
    x = np.random.Generator(np.random.PCG64(seed)).integers(low, high + 1, (40, *shape[1:]))
    x[0], x[1] = low, high
    record = [name for node in model.graph.node for name in node.output]
    expected = integers(Interpreter(source).run({"x": x.astype(np.int8)})["y"])
    found = ChannelsLast(model, interface).run({"x": x}, record)
    assert np.array_equal(integers(found["y"]), expected)

    assert {node.op_type for node in model.graph.node} <= FINN_OPERATORS
    for name in record:
        kind, values = model.get_tensor_datatype(name), integers(found[name])
        assert kind.is_integer() and kind.allowed(int(values.min())) and kind.allowed(int(values.max())), name
    for node in model.graph.node:
        if node.op_type == "MultiThreshold":
            table = model.get_initializer(node.input[1])
            kind = model.get_tensor_datatype(node.input[1])
            assert np.isfinite(table).all() and (table == np.rint(table)).all() and (np.diff(table, axis=1) >= 0).all()
            assert kind.allowed(int(table.min())) and kind.allowed(int(table.max()))
    executed = execute_onnx(model, {"x": ChannelsLast(model, interface).arranged("x", x[:1]).astype(np.float32)})["y"]
    assert np.array_equal(executed.reshape(expected[:1].shape), expected[:1])


@settings(max_examples=40, deadline=None)
@given(branched_parts(), st.integers(0, 10**6))
def test_streamlined_integers_of_branches_are_the_references(drawn, seed):
    source, interface = drawn
    model = convert_part(source, interface).model
    shape, (low, high) = interface["inputs"]["x"]["shape"], interface["inputs"]["x"]["range"]
    x = np.random.Generator(np.random.PCG64(seed)).integers(low, high + 1, (40, *shape[1:]))
    x[0], x[1] = low, high
    expected = integers(Interpreter(source).run({"x": x.astype(np.int8)})["y"])
    found = ChannelsLast(model, interface).run({"x": x})["y"]
    assert np.array_equal(integers(found), expected)


@settings(max_examples=20, deadline=None)
@given(dense_parts(), st.integers(0, 10**6))
def test_names_and_order_of_the_source_do_not_matter(drawn, seed):
    source, interface = drawn
    again = onnx.ModelProto.FromString(source.SerializeToString())
    rng = np.random.Generator(np.random.PCG64(seed))
    kept = [
        onnx.TensorProto.FromString(again.graph.initializer[k].SerializeToString())
        for k in rng.permutation(len(again.graph.initializer))
    ]
    del again.graph.initializer[:]
    again.graph.initializer.extend(kept)
    for index, node in enumerate(again.graph.node):
        node.name = f"anything{index}"
    one, two = (convert_part(part, interface).model for part in (source, again))
    assert [node.SerializeToString() for node in one.graph.node] == [
        node.SerializeToString() for node in two.graph.node
    ]


@settings(deadline=None)
@given(
    st.integers(-300, 0), st.integers(0, 300), st.lists(st.integers(-400, 400), min_size=1, max_size=20), st.booleans()
)
def test_search_finds_the_steps_of_any_monotone_function(low, high, steps, falling):
    steps = np.sort(np.array(steps))

    def function(a):
        level = np.searchsorted(steps, a, side="right") * 3 % 1000 - 7
        return -level if falling else level

    found = search(function, np.array([low]), np.array([high]))
    domain = np.arange(low, high + 1)
    sign = -1 if found.flipped[0] else 1
    counted = found.low + (sign * domain[:, None] >= found.table[0]).sum(1)
    assert np.array_equal(counted, function(domain))


def test_a_function_that_is_not_monotone_has_no_thresholds():
    with pytest.raises(ModelError, match="not monotone"):
        search(lambda a: np.where(a % 7 < 3, 0, 5) + a // 10, np.array([-50]), np.array([50]))


def test_what_cannot_be_streamlined_is_named():
    part = Part((1, 3), 0)
    part.dense(2, 4)
    part.value = part.add("Softmax", [part.value])
    part.activate(4, False)
    model, interface = part.finish(ends_quantised=False)
    with pytest.raises(ModelError, match="Softmax"):
        convert_part(model, interface)
