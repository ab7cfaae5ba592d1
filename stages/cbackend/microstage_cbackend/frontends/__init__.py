"""Graphs in: streamlined FINN-ONNX, and QCDQ with affine scales, each lowered into the integer program."""
