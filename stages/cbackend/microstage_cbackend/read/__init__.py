"""Read integer FINN-ONNX graphs into the integer program, with ranges that are proven element by element."""
