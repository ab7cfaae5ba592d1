"""Quantise a float network with onnxruntime's quantiser, over ranges that a user's example inputs show."""
