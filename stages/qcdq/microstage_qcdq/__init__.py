"""qcdq: QONNX in; QCDQ parts, a composed model and the integer reference out."""
