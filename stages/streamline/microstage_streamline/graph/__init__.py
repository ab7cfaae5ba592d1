"""A quantised graph from a file: read, brought into one form, quantisers moved to their accumulators."""
