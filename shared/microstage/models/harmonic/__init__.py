"""Harmonic estimation: a window of current or voltage in, the amplitudes of harmonics 1, 3, 5 and 7 out."""
