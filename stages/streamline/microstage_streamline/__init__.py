"""streamline: QCDQ parts in, integer-only FINN-ONNX out."""
