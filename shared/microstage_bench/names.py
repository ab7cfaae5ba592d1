"""What can be asked for, without importing what computes it: the runner has the standard library alone."""

from __future__ import annotations

__all__ = ["BEFORE", "FOOTPRINT", "HALF_DEAD", "MEASURED", "MLPERF_TINY", "NETWORKS", "RIVALS", "VECTORS", "WIDTHS"]

MLPERF_TINY = ("drawn-resnet8", "drawn-ds-cnn", "drawn-mobilenet", "drawn-autoencoder")
NETWORKS = (*MLPERF_TINY, "drawn-kws-w3a3", "drawn-cnv-binary")
HALF_DEAD = "drawn-mobilenet-half-dead"
"The shape of drawn-mobilenet, of which every second channel is a constant, as of the published weights."
WIDTHS = {
    8: "drawn-kws-w8a8",
    4: "drawn-kws-w4a8",
    3: "drawn-kws-w3a8",
    1: "drawn-kws-w1a8",
}  # one network by bits per weight
MEASURED = ("cortex-m0+", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "riscv32")
"Machines of `make footprint` where none is named."
VECTORS = ("rvv-128", "rvv-256")
"Machines that it measures where they are named: 64-bit RISC-V with vectors of that many bits."
FOOTPRINT = (*NETWORKS, HALF_DEAD, *WIDTHS.values())
"Networks of `make footprint`."
RIVALS = ("onnxruntime", "litert", "tflm")
BEFORE = "before: "
"What stands before the name of a variant of C that an earlier version wrote."
