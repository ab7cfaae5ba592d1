"""Compare every boundary: the integer reference, the recorded simulation and onnxruntime."""
