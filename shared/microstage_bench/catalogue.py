"""Every network of the benchmarks by name. Each is drawn from its own seed: the same integers on every machine with the
same NumPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from microstage_bench import binary_networks as narrow
from microstage_bench import mlperf_tiny
from microstage_bench.names import HALF_DEAD, WIDTHS
from microstage_bench.network import DrawnNetwork

__all__ = ["NETWORKS", "OF_FOOTPRINT"]

NETWORKS: dict[str, Callable[[], DrawnNetwork]] = {
    "drawn-resnet8": mlperf_tiny.resnet8,
    "drawn-ds-cnn": mlperf_tiny.ds_cnn,
    "drawn-mobilenet": mlperf_tiny.mobilenet,
    "drawn-autoencoder": mlperf_tiny.autoencoder,
    "drawn-kws-w3a3": narrow.kws_w3a3,
    "drawn-cnv-binary": narrow.cnv_binary,
}
OF_FOOTPRINT: dict[str, Callable[[], DrawnNetwork]] = {
    **{name: partial(narrow.kws_of_bits, bits) for bits, name in WIDTHS.items()},
    HALF_DEAD: partial(mlperf_tiny.mobilenet, HALF_DEAD, 2),
}
"What `make footprint` measures beside them: one network by the width of its weights, one with dead channels."
