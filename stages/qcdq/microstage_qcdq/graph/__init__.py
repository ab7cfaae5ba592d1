"""ONNX graphs: building them, the integers that their tensors hold, where these are compared."""
