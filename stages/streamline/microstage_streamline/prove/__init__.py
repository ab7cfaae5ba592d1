"""Prove the integers against the reference and other executors, and choose the inputs for it."""
