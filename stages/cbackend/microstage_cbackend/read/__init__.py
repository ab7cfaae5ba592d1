"""Integer FINN-ONNX graphs in, each lowered into the integer program with ranges that are proven element by element."""
