"""How many products a layer sums: its multiply-accumulates, as the network has them."""

from __future__ import annotations

from math import prod

from microstage_cbackend.program.ir import KernelCall

__all__ = ["products_of"]


def products_of(layer: KernelCall) -> int:
    """Return the multiply-accumulates of one call; 0 of a kernel that has no weights."""
    s, kernel = layer.shape, layer.kernel
    if kernel.startswith("ms_linear"):
        return prod(s[name] for name in ("rows", "depth", "columns"))
    if "depthwise" in kernel:
        return prod(s[name] for name in ("out_height", "out_width", "channels", "kernel_h", "kernel_w"))
    if not kernel.startswith(("ms_conv", "ms_small_conv", "ms_xnor", "ms_small_xnor")):
        return 0
    return prod(s[name] for name in ("out_height", "out_width", "filters")) * (layer.signs or _patch(s))


def _patch(s: dict[str, int]) -> int:
    """Return the products of one sum of a convolution, as its kind of shape says them."""
    if "runs_h" in s:
        return prod(s[name] for name in ("runs_h", "runs_w", "length"))
    window = prod(s[name] for name in ("kernel_h", "kernel_w", "channels"))
    return s.get("planes", 1) * window // s.get("groups", 1)
