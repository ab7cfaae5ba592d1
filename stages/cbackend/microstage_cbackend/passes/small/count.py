"""Put layers of signs by signs on the kernels that count differing bits on small machines."""

from __future__ import annotations

from microstage_cbackend.kernels.small.layouts import pack_small_signs
from microstage_cbackend.kernels.small.sizes import xnor_scratch
from microstage_cbackend.program.ir import Part, Tensor

__all__ = ["count_signs"]


def count_signs(part: Part) -> None:
    """Take the words of each filter's weights one after the other, and gather a patch before they are compared."""
    for layer in part.layers:
        if layer.kernel in ("ms_xnor_sums", "ms_xnor_bits"):
            x, w, *limits = layer.inputs
            words = pack_small_signs(w.integers, layer.shape["filters"])
            layer.inputs = [x, Tensor(w.name, words.shape, w.low, w.high, words, declared="uint64_t"), *limits]
            layer.kernel = layer.kernel.replace("ms_", "ms_small_", 1)
            layer.scratch = xnor_scratch(layer.shape)
