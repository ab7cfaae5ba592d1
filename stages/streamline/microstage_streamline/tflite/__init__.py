"""Read a .tflite file as a graph of its kernels' integers, or of real numbers that are rounded half to even."""
