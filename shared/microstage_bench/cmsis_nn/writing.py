"""C of a network on CMSIS-NN: constants, and a function that calls one function of the library a layer."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from functools import singledispatch
from pathlib import Path

import numpy as np

from microstage_bench.cmsis_nn.arena import Living, places
from microstage_bench.cmsis_nn.layers import (
    AddedLayer,
    AveragedLayer,
    FlatNetwork,
    FlatTensor,
    Geometry,
    LayerOfFile,
    WeightedLayer,
)
from microstage_bench.compiling import compile_library

__all__ = ["NAME", "write_network"]

NAME = "on_cmsis_nn"
_FUNCTIONS = {
    "conv": "arm_convolve_wrapper_s8",
    "depthwise": "arm_depthwise_conv_wrapper_s8",
    "dense": "arm_fully_connected_s8",
}
_HEADER = """#include <stdint.h>
typedef struct {{ uint64_t words[{words}]; }} {name}_arena;
typedef struct {{ {name}_arena *arena; }} {name}_ctx;
int {name}_infer(const {name}_ctx *ctx, const int8_t input[{taken}], int8_t output[{given}]);
"""


def write_network(network: FlatNetwork, library: Path, form: str, folder: Path) -> None:
    """Write header and source to `folder`; `form` says which of the library's kernels the machine will have, by the
    end of their names: _dsp, _mve or neither.
    """
    constants = ['#include "arm_nnfunctions.h"', *(_constants(layer, n) for n, layer in enumerate(network.layers))]
    sizes = _buffer_sizes(network, constants, library, form, folder)
    offsets, total = places(_living(network, sizes))
    calls = [_call(layer, n, _Ends(network, offsets), sizes[n]) for n, layer in enumerate(network.layers)]
    head = f"int {NAME}_infer(const {NAME}_ctx *ctx, const int8_t *input, int8_t *output)"
    body = ["{", "    int8_t *arena = (int8_t *)ctx->arena;", *calls, "    return 0;", "}", ""]
    ends = {"taken": network.input.size, "given": network.output.size}
    (folder / f"{NAME}.h").write_text(_HEADER.format(name=NAME, words=max(-(-total // 8), 1), **ends))
    (folder / f"{NAME}.c").write_text("\n".join([f'#include "{NAME}.h"', *constants, head, *body]))


def _living(network: FlatNetwork, sizes: Mapping[int, int]) -> dict[str, Living]:
    """Return what the arena holds, and when: tensors between layers, and each layer's buffer."""
    found = {f"buffer {n}": Living(size, n, n) for n, size in sizes.items() if size}
    for n, layer in enumerate(network.layers):
        if layer.output.name != network.output.name:
            last = max(m for m, other in enumerate(network.layers) if layer.output in other.inputs)
            found[layer.output.name] = Living(layer.output.size, n, last)
    return found


class _Ends:
    """What tensors are called in C."""

    def __init__(self, network: FlatNetwork, offsets: Mapping[str, int]) -> None:
        self.network, self.offsets = network, offsets

    def __call__(self, tensor: FlatTensor) -> str:
        if tensor.name == self.network.input.name:
            return "input"
        return "output" if tensor.name == self.network.output.name else f"arena + {self.offsets[tensor.name]}"

    def buffer(self, n: int, size: int) -> str:
        at = f"arena + {self.offsets[f'buffer {n}']}" if size else "0"
        return f"&(const cmsis_nn_context){{{at}, {size}}}"


def _buffer_sizes(
    network: FlatNetwork, constants: Iterable[str], library: Path, form: str, folder: Path
) -> dict[int, int]:
    """Return the bytes of each layer's buffer, as the library itself says; 0 for none."""
    asked = {n: text for n, layer in enumerate(network.layers) if (text := _size_of(layer, n, form))}
    functions = [f"int32_t bytes_{n}(void) {{ return {text}; }}" for n, text in asked.items()]
    (folder / "sizes.c").write_text("\n".join([*constants, *functions, ""]))
    sources = [folder / "sizes.c", *library.glob("Source/*Functions/*get_buffer_sizes_s8.c")]
    loaded = compile_library(sources, [f"-I{library / 'Include'}"], folder / "sizes.so")
    (folder / "sizes.c").unlink()
    return {n: _called(loaded, n) if n in asked else 0 for n in range(len(network.layers))}


def _called(loaded: ctypes.CDLL, n: int) -> int:
    return int(getattr(loaded, f"bytes_{n}")())


def _size_of(layer: LayerOfFile, n: int, form: str) -> str:
    """Return C that asks the library for the size of a layer's buffer; empty where it has none."""
    if isinstance(layer, AveragedLayer):
        return f"arm_avgpool_s8_get_buffer_size{form}({layer.output.shape[1]}, {layer.output.shape[2]})"
    if isinstance(layer, WeightedLayer) and layer.kind != "dense":  # the sums of dense filters are constants here
        return f"{_FUNCTIONS[layer.kind]}_get_buffer_size{form}(&parameters_{n}, &in_{n}, &filter_{n}, &out_{n})"
    return ""


@singledispatch
def _constants(layer: LayerOfFile, n: int) -> str:
    """Return the constants of a layer."""
    return ""


@_constants.register
def _(layer: WeightedLayer, n: int) -> str:
    taken, sums = layer.inputs[0], layer.weights.reshape(len(layer.weights), -1).sum(axis=1, dtype=np.int64)
    numbers = {"bias": layer.bias, "multiplier": layer.multipliers, "shift": layer.shifts}
    if layer.kind == "dense":
        numbers = {"bias": layer.bias, "sums": layer.bias - taken.zero * sums}
    arrays = [_array("int32_t", f"{name}_{n}", values) for name, values in numbers.items()]
    parameters = [f".input_offset = {-taken.zero}, .output_offset = {layer.output.zero}", _activation(layer)]
    if layer.kind == "dense":
        kind, kernel = "fc", (layer.weights.shape[1], 1, 1, layer.weights.shape[0])
    else:
        kind = {"conv": "conv", "depthwise": "dw_conv"}[layer.kind]
        kernel = layer.weights.shape
        parameters += [_tile(layer.geometry), f".dilation = {_pair(layer.geometry.dilation)}"]
        parameters += [".ch_mult = 1"] if layer.kind == "depthwise" else []
    lines = [
        _array("int8_t", f"weights_{n}", layer.weights.ravel()),
        *arrays,
        f"static const cmsis_nn_{kind}_params parameters_{n} = {{{', '.join(parameters)}}};",
        *_dimensions(n, {"in": (1, *taken.shape), "filter": kernel, "out": (1, *layer.output.shape)}),
    ]
    return "\n".join(lines)


@_constants.register
def _(layer: AveragedLayer, n: int) -> str:
    parameters = f"{_tile(layer.geometry)}, {_activation(layer)}"
    shapes = {
        "in": (1, *layer.inputs[0].shape),
        "filter": (1, *layer.geometry.kernel, 1),
        "out": (1, *layer.output.shape),
    }
    return "\n".join([f"static const cmsis_nn_pool_params parameters_{n} = {{{parameters}}};", *_dimensions(n, shapes)])


@singledispatch
def _call(layer: LayerOfFile, n: int, ends: _Ends, buffer: int) -> str:
    """Return the call of a layer."""
    raise NotImplementedError(type(layer).__name__)


@_call.register
def _(layer: WeightedLayer, n: int, ends: _Ends, buffer: int) -> str:
    context, quantised = ends.buffer(n, buffer), f"multiplier_{n}, (int32_t *)shift_{n}"
    quantised = f"&(const cmsis_nn_per_channel_quant_params){{(int32_t *){quantised}}}"
    if layer.kind == "dense":
        context = f"&(const cmsis_nn_context){{(void *)sums_{n}, sizeof sums_{n}}}"
        quantised = f"&(const cmsis_nn_per_tensor_quant_params){{{layer.multipliers[0]}, {layer.shifts[0]}}}"
    given = f"&in_{n}, {ends(layer.inputs[0])}, &filter_{n}, weights_{n}, 0, bias_{n}, &out_{n}, {ends(layer.output)}"
    return _checked(f"{_FUNCTIONS[layer.kind]}({context}, &parameters_{n}, {quantised}, {given})")


@_call.register
def _(layer: AddedLayer, n: int, ends: _Ends, buffer: int) -> str:
    (first, second), (own, other, out) = layer.inputs, layer.factors
    inputs = f"{-first.zero}, {own[0]}, {own[1]}, {-second.zero}, {other[0]}, {other[1]}, {layer.headroom}"
    output = f"{ends(layer.output)}, {layer.output.zero}, {out[0]}, {out[1]}, {layer.low}, {layer.high}"
    tensors = f"{ends(first)}, {ends(second)}"
    return _checked(f"arm_elementwise_add_s8({tensors}, {inputs}, {output}, {layer.output.size})")


@_call.register
def _(layer: AveragedLayer, n: int, ends: _Ends, buffer: int) -> str:
    given = f"&in_{n}, {ends(layer.inputs[0])}, &filter_{n}, &out_{n}, {ends(layer.output)}"
    return _checked(f"arm_avgpool_s8({ends.buffer(n, buffer)}, &parameters_{n}, {given})")


def _checked(call: str) -> str:
    return f"    if ({call}) {{ return 1; }}"


def _array(kind: str, name: str, values: Iterable[int]) -> str:
    return f"static const {kind} {name}[] = {{{', '.join(str(int(value)) for value in values)}}};"


def _dimensions(n: int, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    return [
        f"static const cmsis_nn_dims {name}_{n} = {{{', '.join(str(int(size)) for size in shape)}}};"
        for name, shape in shapes.items()
    ]


def _activation(layer: LayerOfFile) -> str:
    return f".activation = {{{layer.low}, {layer.high}}}"


def _tile(geometry: Geometry) -> str:
    return f".stride = {_pair(geometry.stride)}, .padding = {_pair(geometry.pad)}"


def _pair(sizes: tuple[int, int]) -> str:
    """Return (height, width) as CMSIS-NN has them: width first."""
    return f"{{{sizes[1]}, {sizes[0]}}}"
