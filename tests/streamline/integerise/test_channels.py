"""Channels that are provably one value are not computed, whatever stands between them and their products."""

import json

import numpy as np
import onnx
import pytest
from random_networks import Network

from microstage.interface import golden


def dead(net, places, value=0.0):
    """A batch norm that makes `value` of the channels at `places`, whatever they hold."""
    size = net.shape[0]
    gamma = np.full(size, 0.1)
    gamma[places] = 0
    beta = np.full(size, 0.5)
    beta[places] = value
    parts = gamma, beta, np.zeros(size), np.ones(size)
    net.value = net.add("BatchNormalization", [net.value, *(net.constant(p.astype(np.float32)) for p in parts)])


def convolution(net, channels, gone, value=0.0, pads=(1, 1, 1, 1), depthwise=False):
    net.conv(1 if depthwise else channels, [3, 3], 1, list(pads), 4, True, depthwise)
    dead(net, gone, value)
    net.activate(4, relu=True, scale=0.2)


def plain(value, pads):
    net = Network([3, 6, 6], 1)
    convolution(net, 32, slice(0, 16), value)
    convolution(net, 5, slice(0, 0), pads=pads)
    net.value, net.shape = net.add("Flatten", [net.value]), [int(np.prod(net.shape))]
    net.dense(4, 4, True, True)
    return net


def depthwise(value, pads):
    """A depthwise filter goes with its channel, if nothing stands outside the image."""
    net = Network([3, 6, 6], 2)
    convolution(net, 32, slice(16, 32), value)
    convolution(net, 32, slice(0, 0), pads=pads, depthwise=True)
    convolution(net, 5, slice(0, 0), pads=(0, 0, 0, 0))
    net.pool("MaxPool")
    return net


def residual(value, pads):
    """Both terms of a sum are constant there, at two scales; behind it, an average and a dense layer."""
    net = Network([3, 6, 6], 3)
    convolution(net, 32, slice(8, 24), value)
    kept = net.value
    convolution(net, 32, slice(8, 24), value)
    net.value = net.add("Add", [net.value, kept])
    net.activate(4, relu=True, scale=0.31)
    net.value = net.add("GlobalAveragePool", [net.value])
    net.shape = [32, 1, 1]
    net.activate(6, relu=True, scale=0.02)
    net.value, net.shape = net.add("Flatten", [net.value]), [32]
    net.dense(4, 4, True, False)
    return net


def joined(value, pads):
    """Two branches joined, pooled and flattened before a dense layer."""
    net = Network([3, 6, 6], 4)
    kept = net.value
    convolution(net, 20, slice(0, 10), value)
    first, net.value, net.shape = net.value, kept, [3, 6, 6]
    convolution(net, 12, slice(6, 12), value)
    net.value, net.shape = net.add("Concat", [first, net.value], axis=1), [32, 6, 6]
    net.pool("MaxPool")
    net.value, net.shape = net.add("Flatten", [net.value]), [32 * 9]
    net.dense(4, 4, True, False)
    return net


NONE, ONE = (0, 0, 0, 0), (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("network", "value", "pads", "filters"),
    [
        (plain, 0.0, ONE, 16),
        (plain, 1.0, NONE, 16),
        (plain, 1.0, ONE, 32),
        (depthwise, 0.0, ONE, 16),
        (depthwise, 1.0, NONE, 16),
        (residual, 0.0, ONE, 16),
        (joined, 0.0, ONE, 16),
        (joined, 1.0, NONE, 16),
    ],
)
def test_of_32_filters_of_which_16_are_dead_16_are_emitted(own, network, value, pads, filters):
    assert own.run(network(value, pads).model()) == 0 and own.unresolved() == []
    graph = onnx.load(str(own.out / "model_finn_streamlined.onnx")).graph
    weights = {i.name: list(i.dims) for i in graph.initializer}
    columns = [weights[node.input[1]][1] for node in graph.node if node.op_type == "MatMul"]
    first = columns[:2] if network is joined else columns[:1]
    assert sum(first) == filters
    if network is residual:
        assert columns[1] == filters
    proved = {v["boundary"]: v for v in json.loads((own.out / "report.json").read_text())["verification"]}
    assert proved["y"]["compared"] == proved["y"]["equal"] == golden.load(own.out / golden.FILE)["y"].size > 0
