"""Whatever a quantised network is made of: its streamlined integers are the integer reference's, always."""

import numpy as np
from hypothesis import given, settings
from qonnx.core.onnx_exec import execute_onnx
from random_networks import networks

from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage_streamline.convert import convert_file
from microstage_streamline.finn.layout import input_ranges, streamed
from microstage_streamline.verify import vectors
from microstage_streamline.verify.sequences import ChannelsLast

OPERATORS = {"MatMul", "Conv", "MultiThreshold", "Add", "Mul", "MaxPool", "Concat", "Flatten", "Identity"}


@settings(max_examples=100, deadline=None)
@given(networks())
def test_streamlined_integers_are_the_references(tmp_path_factory, net):
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    path.write_bytes(net.model().SerializeToString())
    found = convert_file(path)
    normal, made, written = found.normal, found.made, found.written
    assert made.unresolved == [] and list(made.outputs) == ["y"]
    assert {node.op for node in made.nodes} <= OPERATORS

    fed = vectors.drawn(made, 24)
    tensors = [t for node in made.nodes for t in node.outputs if t in normal.values and t not in made.negated]
    expected = normal.graph.run(fed, tensors)
    names = {tensor: written.renamed.get(tensor, tensor) for tensor in tensors}
    inputs = {name: integers(fed[tensor]) for name, tensor in written.entered.items()}
    found = Interpreter(written.model.model).run(inputs, names.values())
    for tensor, name in names.items():
        assert np.array_equal(integers(found[name]), integers(expected[tensor])), name
        kind, values = written.model.get_tensor_datatype(name), integers(found[name])
        assert kind.is_integer() and kind.allowed(int(values.min())) and kind.allowed(int(values.max())), name
    executed = execute_onnx(written.model, {name: value[:1].astype(np.float32) for name, value in inputs.items()})
    assert np.array_equal(executed["y"], integers(found["y"])[:1])
    last = ChannelsLast(streamed(written.model, input_ranges(written.interface)), written.interface).run(inputs)
    assert np.array_equal(integers(last["y"]).reshape(len(found["y"]), -1), integers(found["y"]).reshape(len(found["y"]), -1))
