"""Turn QCDQ parts, or a user's own network, into integer-only FINN-ONNX."""
