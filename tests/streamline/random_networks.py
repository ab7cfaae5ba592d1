"""Random quantised networks as QONNX files: every operator that a quantised network is made of, with every awkward
parameter.
"""

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

DOMAIN = "qonnx.custom_op.general"


class Network:
    """A graph under construction; `value` is the tensor at its end, of `shape` without the batch, and `levels` its
    scale if quantised.
    """

    def __init__(self, shape, seed):
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.nodes, self.constants, self.count = [], {}, 0
        self.inputs, self.shape, self.value = list(shape), list(shape), "x"
        self.quantise(8, signed=True)

    def add(self, op, inputs, domain="", **attributes):
        self.count += 1
        output = f"t{self.count}.{op.lower()}"
        self.nodes.append(
            helper.make_node(op, inputs, [output], name=f"{op}_{self.count}", domain=domain, **attributes)
        )
        return output

    def constant(self, value):
        self.count += 1
        self.constants[f"c{self.count}"] = np.asarray(value)
        return f"c{self.count}"

    def quantised(self, value, bits, signed, scale, narrow=False):
        if bits == 1 and signed:
            return self.add("BipolarQuant", [value, self.constant(np.float32(scale))], DOMAIN)
        signed, narrow = signed or bits == 1, narrow and bits > 1  # one signed bit is -1 or 1, too
        parameters = [self.constant(np.asarray(p, np.float32)) for p in (scale, 0, bits)]
        return self.add(
            "Quant", [value, *parameters], DOMAIN, signed=int(signed), narrow=int(narrow), rounding_mode="ROUND"
        )

    def quantise(self, bits, signed, scale=None):
        self.scale = self.rng.uniform(0.02, 0.5) * 2.0 ** (8 - bits) if scale is None else scale
        self.value = self.quantised(self.value, bits, signed, self.scale)

    def weights(self, shape, bits, channel_axis=None):
        """Real weights behind a quantiser: one scale, or one per output channel."""
        each = [1] * len(shape)
        if channel_axis is not None and bits > 1:
            each[channel_axis] = shape[channel_axis]
        scale = self.rng.uniform(0.02, 0.2, each).astype(np.float32)
        real = self.rng.normal(0, 0.3, shape).astype(np.float32)
        return self.quantised(
            self.constant(real), bits, True, scale.reshape(()) if scale.size == 1 else scale, narrow=bits > 1
        )

    def dense(self, width, bits, per_channel, bias):
        self.value = self.add(
            "MatMul", [self.value, self.weights((self.shape[-1], width), bits, 1 if per_channel else None)]
        )
        if bias:
            self.value = self.add("Add", [self.value, self.constant(self.rng.normal(0, 1, width).astype(np.float32))])
        self.shape[-1] = width

    def conv(self, channels, kernel, stride, pads, bits, per_channel, depthwise=False, bias=False, dilation=1):
        """`depthwise`: one filter for each channel, or as many as `channels` says."""
        groups = self.shape[0] if depthwise else 1
        channels = groups * channels if depthwise else channels
        weight = self.weights((channels, self.shape[0] // groups, *kernel), bits, 0 if per_channel else None)
        inputs = [self.value, weight] + (
            [self.constant(self.rng.normal(0, 1, channels).astype(np.float32))] if bias else []
        )
        self.value = self.add(
            "Conv",
            inputs,
            kernel_shape=list(kernel),
            strides=[stride] * len(kernel),
            pads=list(pads),
            group=groups,
            dilations=[dilation] * len(kernel),
        )
        sizes = [
            (n + before + after - dilation * (k - 1) - 1) // stride + 1
            for n, k, before, after in zip(self.shape[1:], kernel, pads, pads[len(kernel) :])
        ]
        self.shape = [channels, *sizes]

    def norm(self):
        """Batch norm with falling (gamma < 0) and constant (gamma = 0) channels."""
        size = self.shape[0]
        gamma = self.rng.choice([-1.0, 0.0, 1.0, 1.0], size) * self.rng.uniform(0.2, 2, size)
        parts = gamma, self.rng.normal(0, 1, size), self.rng.normal(0, 2, size), self.rng.uniform(0.2, 40, size)
        self.value = self.add("BatchNormalization", [self.value, *(self.constant(p.astype(np.float32)) for p in parts)])

    def activate(self, bits, relu, scale=None):
        if relu and bits > 1:
            self.value = self.add("Relu", [self.value])
        self.quantise(bits, signed=not relu, scale=scale)

    def pool(self, kind, kernel=2, stride=2):
        size = len(self.shape) - 1
        self.value = self.add(kind, [self.value], kernel_shape=[kernel] * size, strides=[stride] * size)
        self.shape[1:] = [(n - kernel) // stride + 1 for n in self.shape[1:]]

    def model(self, opset=13, ir_version=8, batch="N"):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *self.inputs])
        nodes = [*self.nodes, helper.make_node("Identity", [self.value], ["y"])]
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, *self.shape])
        kept = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(
            helper.make_graph(nodes, "network", [x], [y], kept), opset_imports=opsets, ir_version=ir_version
        )


bits = st.integers(1, 8)
flag = st.booleans()


@st.composite
def networks(draw):
    """(Network, what was drawn) of dense layers alone, or of convolutions of one or two dimensions with dense ones
    behind.
    """
    spatial = draw(st.integers(0, 2))
    shape = [draw(st.integers(1, 4)), *(draw(st.integers(5, 8)) for _ in range(spatial))]
    net = Network(shape, draw(st.integers(0, 10**6)))
    for _ in range(draw(st.integers(1, 3))):
        draw(st.sampled_from(_BLOCKS if spatial else _DENSE))(net, draw)
    if spatial:
        if draw(flag):
            net.value = net.add("GlobalAveragePool", [net.value])
            net.shape[1:] = [1] * spatial
            net.activate(draw(bits), relu=False)
        _flattened(net, draw)
    net.dense(draw(st.integers(1, 4)), draw(bits), draw(flag), draw(flag))
    if draw(flag):
        net.activate(draw(bits), draw(flag))
    return net


def _flattened(net, draw):
    """A row of the image, channels first or last, by one of the operators that make it."""
    turned = draw(flag)
    if turned:
        net.value = net.add("Transpose", [net.value], perm=_channels_last(net))
        net.shape = [*net.shape[1:], net.shape[0]]
    row = [1, int(np.prod(net.shape))]
    if draw(flag):
        net.value = net.add(
            "Reshape", [net.value, net.constant(np.asarray([draw(st.sampled_from([1, -1])), row[1]], np.int64))]
        )
    else:
        net.value = net.add("Flatten", [net.value])
    net.shape = row[1:]


def _channels_last(net):
    return [0, *range(2, len(net.shape) + 1), 1]


def _at_each_place(net, draw):
    """Channels last for a while: a dense layer at each place of the image, quantised before or behind the way back."""
    back, early = list(np.argsort(_channels_last(net))), draw(flag)
    net.value, net.shape = net.add("Transpose", [net.value], perm=_channels_last(net)), [*net.shape[1:], net.shape[0]]
    net.dense(draw(st.integers(1, 4)), draw(bits), draw(flag), draw(flag))
    if early:
        net.activate(draw(bits), draw(flag))
    net.value, net.shape = (
        net.add("Transpose", [net.value], perm=[int(axis) for axis in back]),
        [net.shape[-1], *net.shape[:-1]],
    )
    net.activate(draw(bits), draw(flag))


def _halves(net, draw):
    """Channels cut in two, one half through another layer, and joined again in another order."""
    if net.shape[0] < 2:
        return _concatenation(net, draw)
    sizes = [net.shape[0] // 2, net.shape[0] - net.shape[0] // 2]
    net.count += 1
    first, second = f"t{net.count}.first", f"t{net.count}.second"
    net.nodes.append(
        helper.make_node("Split", [net.value, net.constant(np.asarray(sizes, np.int64))], [first, second], axis=1)
    )
    shape, net.value, net.shape = list(net.shape), first, [sizes[0], *net.shape[1:]]
    _same_size(net, draw)
    net.quantise(draw(bits), True, net.scale)
    net.value, net.shape = net.add("Concat", [second, net.value], axis=1), shape
    net.activate(draw(bits), draw(flag))


def _dense(net, draw):
    net.dense(draw(st.integers(1, 6)), draw(bits), draw(flag), draw(flag))
    if draw(flag):
        net.norm()
    net.activate(draw(bits), draw(flag))


def _convolution(net, draw):
    spatial = len(net.shape) - 1
    kernel = [draw(st.integers(1, min(3, n))) for n in net.shape[1:]]
    pads = [draw(st.integers(0, 1)) for _ in range(2 * spatial)]
    depthwise, dilation = draw(flag), draw(st.integers(1, 2)) if min(net.shape[1:]) >= 5 else 1
    channels = draw(st.integers(1, 2 if depthwise else 5))
    net.conv(channels, kernel, draw(st.integers(1, 2)), pads, draw(bits), draw(flag), depthwise, draw(flag), dilation)
    if draw(flag):
        net.norm()
    pooled = min(net.shape[1:]) >= 2 and draw(st.sampled_from(["", "before", "after", "average"]))
    window = pooled and (draw(st.integers(2, min(3, *net.shape[1:]))), draw(st.integers(1, 2)))
    if pooled == "before":
        net.pool("MaxPool", *window)
    net.activate(draw(bits), draw(flag))
    if pooled == "after":
        net.pool("MaxPool", *window)
    if pooled == "average":
        net.pool("AveragePool", *window)
        net.activate(draw(bits), draw(flag))


def _same_size(net, draw):
    """A convolution that keeps places and channels."""
    spatial = len(net.shape) - 1
    if spatial:
        depthwise = draw(flag)
        net.conv(
            1 if depthwise else net.shape[0], [3] * spatial, 1, [1] * 2 * spatial, draw(bits), draw(flag), depthwise
        )
    else:
        net.dense(net.shape[-1], draw(bits), draw(flag), False)


def _two_scales(net, draw):
    """Scales of two branches: equal, or of any ratio up to ten."""
    scale = net.rng.uniform(0.05, 0.5)
    return scale, scale if draw(flag) else net.rng.uniform(0.05, 0.5)


def _residual(net, draw):
    """q(x) + q(f(x)), at one scale or at two; the sum may be normalised before it is quantised again."""
    kept, shape, (scale, other) = net.value, list(net.shape), _two_scales(net, draw)
    _same_size(net, draw)
    if draw(flag):
        net.norm()
    net.quantise(draw(bits), True, scale)
    branch = net.value
    net.value = kept
    net.quantise(draw(bits), draw(flag), other)
    net.value, net.shape = net.add("Add", [branch, net.value]), shape
    if draw(flag):
        net.norm()
    net.activate(draw(bits), draw(flag))


def _concatenation(net, draw):
    """Two branches joined by channels: quantised before, at one scale or at two, or the join itself quantised."""
    kept, shape, scales, early = net.value, list(net.shape), _two_scales(net, draw), draw(flag)
    ends = []
    for scale in scales:
        net.value, net.shape = kept, list(shape)
        _same_size(net, draw)
        if early:
            net.quantise(draw(bits), True, scale)
        ends.append(net.value)
    net.value = net.add("Concat", ends, axis=1)
    net.shape[0] = 2 * shape[0]
    if not early or scales[0] != scales[1] or draw(flag):
        if draw(flag):
            net.norm()
        net.activate(draw(bits), draw(flag))


_DENSE = (_dense, _residual, _concatenation, _halves)
_BLOCKS = (_convolution, _residual, _concatenation, _halves, _at_each_place)
