"""`make explain ONNX=`: a file of the user in floats beside its integers."""
