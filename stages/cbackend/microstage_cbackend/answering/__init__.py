"""What integers answer to many inputs, in NumPy and in C, beside what floats answered."""
