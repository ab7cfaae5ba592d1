"""Convolution and pooling, of one or two spatial dimensions."""

from __future__ import annotations

import itertools

import numpy as np

from microstage.errors import ModelError
from microstage.integer import ranges
from microstage.integer.arithmetic import add, exact_matmul
from microstage.integer.registry import Kind, OperatorTable
from microstage.integer.shapes import moved
from microstage.integer.tensor import QTensor, alike, real

TABLE = OperatorTable()


def _geometry(attributes, spatial: int):
    if attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise ModelError(f"auto_pad {attributes['auto_pad']} is not supported; give pads")
    strides = attributes.get("strides", [1] * spatial)
    dilations = attributes.get("dilations", [1] * spatial)
    pads = attributes.get("pads", [0] * 2 * spatial)
    return list(strides), list(dilations), list(pads)


def patches(x: np.ndarray, kernel, strides, dilations, pads, fill=0) -> np.ndarray:
    """Return [n, C, prod(kernel), *out] of `x` [n, C, *in]."""
    spatial = len(kernel)
    padded = np.pad(x, [(0, 0), (0, 0), *zip(pads[:spatial], pads[spatial:])], constant_values=fill)
    sizes = [(padded.shape[2 + i] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1 for i in range(spatial)]
    if min(sizes) < 1:
        raise ModelError(f"a kernel of {list(kernel)} does not fit into {list(x.shape[2:])}")
    parts = []
    for offset in itertools.product(*map(range, kernel)):
        starts = [o * d for o, d in zip(offset, dilations)]
        index = [slice(s, s + step * (n - 1) + 1, step) for s, step, n in zip(starts, strides, sizes)]
        parts.append(padded[(slice(None), slice(None), *index)])
    return np.stack(parts, axis=2)


@TABLE.entry("Conv", kind=Kind.PRODUCT, ranges=ranges.of_product)
def conv(arguments, attributes):
    """Return the sums of products under each window, plus the bias; the scales of x and w multiply.

    What lies outside of the image is 0.
    """
    x, w, *bias = arguments
    x, w = alike(x, w)
    depthwise = attributes.get("group", 1) == x.shape[1]
    integer = (
        isinstance(x, QTensor) and isinstance(w, QTensor) and (np.size(x.scale) == 1 or depthwise and _of_channels(x))
    )
    plain = not isinstance(x, QTensor) and all(np.issubdtype(np.asarray(v).dtype, np.integer) for v in (x, w))
    xs, ws = (x.ints, w.ints) if integer else (x, w) if plain else (real(x), real(w))
    product = _convolve(xs, ws, attributes, exact_matmul if integer or plain else np.matmul)
    if integer:
        scale = np.asarray(w.scale)
        if scale.size > 1:
            scale = scale.reshape((1, -1) + (1,) * (product.ndim - 2))
        own = np.asarray(x.scale)
        own = own if own.size == 1 else np.repeat(own, product.shape[1] // x.shape[1], axis=1)
        product = QTensor(product, own * scale)
    if not bias:
        return product
    offset = bias[0]
    shape = (1, -1) + (1,) * (len(product.shape) - 2)
    if isinstance(offset, QTensor):
        scale = np.asarray(offset.scale)
        offset = QTensor(offset.ints.reshape(shape), scale.reshape(shape) if scale.size > 1 else scale)
    else:
        offset = np.asarray(offset).reshape(shape)
    return add([product, offset], {})


def _of_channels(x: QTensor) -> bool:
    """Tell whether every channel has one scale, its own or that of all."""
    return np.size(x.scale) == 1 or np.ndim(x.scale) == len(x.shape) and np.size(x.scale) == np.shape(x.scale)[1]


def _convolve(x, w, attributes, multiply):
    spatial, groups = w.ndim - 2, attributes.get("group", 1)
    strides, dilations, pads = _geometry(attributes, spatial)
    cut = patches(x, w.shape[2:], strides, dilations, pads)  # [n, C, K, *out]
    n, out = len(x), cut.shape[3:]
    columns = cut.reshape(n, groups, -1, int(np.prod(out)))  # [n, g, C/g * K, P]
    kernels = w.reshape(1, groups, w.shape[0] // groups, -1)  # [1, g, O/g, C/g * K]
    return multiply(kernels, columns).reshape(n, w.shape[0], *out)  # [n, g, O/g, P]


@TABLE.entry("MaxPool", kind=Kind.MOVES)
def max_pool(arguments, attributes):
    """Return the largest under each window; what lies outside of the image does not count."""
    x = arguments[0]
    values = x.ints if isinstance(x, QTensor) else np.asarray(x)
    kernel = attributes["kernel_shape"]
    strides, dilations, pads = _geometry(attributes, len(kernel))
    if attributes.get("ceil_mode", 0):
        raise ModelError("ceil_mode is not supported")
    low = np.iinfo(values.dtype).min if np.issubdtype(values.dtype, np.integer) else -np.inf
    pooled = patches(values, kernel, strides, dilations, pads, low).max(axis=2)
    if isinstance(x, QTensor):
        scale = np.asarray(x.scale)
        if scale.size > 1 and any(n > 1 for n in scale.shape[2:]):
            raise ModelError("a pool over several scales")
        return QTensor(pooled, scale)
    return pooled


@TABLE.entry("AveragePool", "GlobalAveragePool", kind=Kind.AVERAGE)
def average_pool(arguments, attributes):
    """Return the sum of the window at the scale divided by its size: the integers stay exact."""
    x = arguments[0]
    kernel = attributes.get("kernel_shape", x.shape[2:])
    strides, dilations, pads = _geometry(attributes, len(kernel))
    if attributes.get("ceil_mode", 0) or any(pads):
        raise ModelError("an average over padded places or with ceil_mode is not supported")
    size = int(np.prod(kernel))
    if isinstance(x, QTensor) and _of_channels(x):
        return QTensor(patches(x.ints, kernel, strides, dilations, pads).sum(axis=2), np.asarray(x.scale) / size)
    return patches(real(x), kernel, strides, dilations, pads).sum(axis=2) / size


@TABLE.entry("MaxPoolNHWC", kind=Kind.MOVES)
def max_pool_nhwc(arguments, attributes):
    """Return the same of x [n, H, W, C]."""
    first = moved(arguments[0], lambda x: np.moveaxis(x, -1, 1))
    return moved(max_pool([first], attributes), lambda x: np.moveaxis(x, 1, -1))


@TABLE.entry("Im2Col", kind=Kind.MOVES)
def im2col(arguments, attributes):
    """Lay out x [n, H, W, C] as [n, H', W', kh * kw * C], channels innermost (qonnx).

    `depthwise` is a word to FINN alone.
    """
    return moved(arguments[0], lambda x: _windows(np.moveaxis(x, -1, 1), attributes))


def _windows(x: np.ndarray, attributes) -> np.ndarray:
    pads = attributes.get("pad_amount", [0, 0, 0, 0])
    cut = patches(x, attributes["kernel_size"], attributes["stride"], attributes.get("dilations", [1, 1]), pads)
    n, channels, taps, height, width = cut.shape
    return np.transpose(cut, (0, 3, 4, 2, 1)).reshape(n, height, width, taps * channels)
