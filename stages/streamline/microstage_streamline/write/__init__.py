"""Write what was made: the integers as ONNX, and what became of the network for people and programs."""
