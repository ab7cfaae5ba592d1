"""The machine's program: calls, their places in memory, their words, and what they compute in NumPy."""
