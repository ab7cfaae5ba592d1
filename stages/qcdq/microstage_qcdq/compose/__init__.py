"""Compose the parts into one model that stock onnxruntime runs from real inputs to real answers."""
