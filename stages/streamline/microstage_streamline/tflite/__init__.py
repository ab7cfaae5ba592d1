"""From a .tflite file to a graph: the integers of TensorFlow Lite Micro's reference kernels, or of real numbers rounded
half to even.
"""
