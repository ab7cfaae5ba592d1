"""One rewrite a file: from the exported QONNX graph to a QCDQ graph."""
