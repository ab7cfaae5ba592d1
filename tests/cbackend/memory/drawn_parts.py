"""Parts whose layers are kernels of kernels/small, drawn; they have sizes and no constants."""

from random import Random

import numpy as np

from microstage_cbackend.program.ir import KernelCall, Part, Tensor

__all__ = ["conv", "depthwise", "drawn_part", "image", "pack", "pool"]


def image(name: str, *shape: int) -> Tensor:
    return Tensor(name, shape, 0, 255, declared="uint8_t")


def _window(height: int, width: int, kernel=(1, 1), stride=(1, 1), dilation=(1, 1), pads=(0, 0, 0, 0)) -> dict:
    """Sizes of a window; `pads`: top, left, bottom, right."""
    size = [
        (n + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilation[i] - 1) // stride[i] + 1
        for i, n in enumerate((height, width))
    ]
    shape = {"planes": 1, "height": height, "width": width, "out_height": size[0], "out_width": size[1]}
    for axis, k, s, d in zip("hw", kernel, stride, dilation):
        shape |= {f"kernel_{axis}": k, f"stride_{axis}": s, f"dilation_{axis}": d}
    return shape | {"pad_top": pads[0], "pad_left": pads[1]}


def conv(
    name: str, x: Tensor, size: tuple[int, int, int], filters: int, planes: int = 1, sums: bool = False, **window
) -> KernelCall:
    """A convolution of `size` (height, width, channels), of `planes` where the channels lie one after another."""
    shape = _window(*size[:2], **window) | {"planes": planes, "channels": size[2] // planes, "filters": filters}
    y = image(name, shape["out_height"], shape["out_width"], filters)
    if sums:
        y = Tensor(name, y.shape, -(2**20), 2**20, declared="int32_t")
    return KernelCall(name, "Conv", "ms_small_conv_sums" if sums else "ms_small_conv", [x], y, shape, scratch=size[2])


def depthwise(name: str, x: Tensor, size: tuple[int, int, int], **window) -> KernelCall:
    shape = _window(*size[:2], **window) | {"channels": size[2], "filters": size[2]}
    y = image(name, shape["out_height"], shape["out_width"], size[2])
    return KernelCall(name, "Conv", "ms_small_depthwise", [x], y, shape, scratch=3 * size[1])


def drawn_part(random: Random, length: int) -> Part:
    """A chain with residual sums, concatenations along the rows, slices of rows, and layers of no known order."""
    part, size = Part("drawn"), (random.randint(3, 9), random.randint(3, 9), random.choice((2, 3, 4)))
    x = image("input", size[2], *size[:2])
    part.inputs = [x]
    part.layers.append(conv("first", x, size, random.choice((2, 4, 5)), planes=size[2], **_drawn_window(random, size)))
    for number in range(length):
        _grow(part, random, f"t{number}")
    part.outputs, part.output_names = [part.layers[-1].output.root], ["output"]
    return part


def _grow(part: Part, random: Random, name: str) -> None:
    """Put another layer, or two that write one tensor, behind the last."""
    x = part.layers[-1].output.root
    size = x.shape
    same = [t for t in dict.fromkeys(layer.output.root for layer in part.layers) if t.shape == size and t is not x]
    kind = random.choice(
        ("conv", "conv", "conv", "depthwise", "depthwise", "add", "joined", "slice", "softmax", "pool", "stage")
    )
    if kind == "depthwise":
        part.layers.append(depthwise(name, x, size, **_drawn_window(random, size)))
    elif kind == "add" and same:
        part.layers.append(KernelCall(name, "Add", "ms_small_add", [random.choice(same), x], image(name, *size), {}))
    elif kind == "joined":
        _join(part, random, name, x)
    elif kind == "slice" and size[0] > 2:
        part.layers.append(conv(name, x.view("slice", x.places[1:-1]), (size[0] - 2, *size[1:]), random.randint(1, 6)))
    elif kind == "softmax":
        part.layers.append(KernelCall(name, "Softmax", "ms_softmax", [x], image(name, *size), {}))
    elif kind == "pool":
        planes = random.random() < 0.5
        window = _drawn_window(random, size[1:] if planes else size) | {"dilation": (1, 1)}
        part.layers.append(pool(name, x, planes, **window))
    elif kind == "stage":
        wide = Tensor(f"{name}_wide", size, 0, 1000, declared="int16_t")
        part.layers.append(KernelCall(f"{name}_wide", "Stage", "ms_stage", [x], wide, {}))
        part.layers.append(KernelCall(name, "Softmax", "ms_softmax", [wide], image(name, *size), {}))
    else:
        part.layers.append(conv(name, x, size, random.choice((1, 2, 4, 8)), **_drawn_window(random, size)))


def pool(name: str, x: Tensor, planes: bool = False, **window) -> KernelCall:
    """A pool with channels last, or of one plane after another."""
    size = (*x.shape[1:], x.shape[0]) if planes else x.shape
    shape = _window(*size[:2], **window)
    shape |= {"outer": size[2], "inner": 1} if planes else {"outer": 1, "inner": size[2]}
    sides = shape["out_height"], shape["out_width"]
    y = image(name, size[2], *sides) if planes else image(name, *sides, size[2])
    return KernelCall(name, "MaxPool", "ms_max_pool", [x], y, shape)


def pack(name: str, x: Tensor) -> KernelCall:
    """The signs of a tensor, channels last, in words."""
    *size, channels = x.shape
    words = -(-channels // 64)
    y = Tensor(name, (*size, words), 0, 0, declared="uint64_t")
    return KernelCall(name, "Pack", "ms_pack", [x], y, {"rows": size[0] * size[1], "count": channels, "words": words})


def _join(part: Part, random: Random, name: str, x: Tensor) -> None:
    """Two layers of one tensor write the upper and the lower half of another."""
    filters = random.randint(1, 4)
    halves = [conv(f"{name}_{i}", x, x.shape, filters) for i in range(2)]
    whole = image(name, 2 * x.shape[0], x.shape[1], filters)
    for i, half in enumerate(halves):
        half.output = whole.view(half.node, np.split(whole.places, 2)[i])
    part.layers += halves


def _drawn_window(random: Random, size: tuple[int, ...]) -> dict:
    """A window that has at least one position; borders are as wide as the kernel less one, or less."""
    kernel, dilation = [random.choice((1, 1, 2, 3)) for _ in "hw"], [random.choice((1, 1, 2)) for _ in "hw"]
    reach = [(k - 1) * d for k, d in zip(kernel, dilation)]
    pads = [random.randint(0, r) for r in reach] + [r if n <= r else random.randint(0, r) for n, r in zip(size, reach)]
    return {"kernel": kernel, "dilation": dilation, "stride": [random.choice((1, 1, 2)) for _ in "hw"], "pads": pads}
