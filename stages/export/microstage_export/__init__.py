"""export: weights in, QONNX and the simulation's integers out."""
