"""Hold the integer program: tensors with proven ranges, layers, stages; and what it means, in NumPy."""
