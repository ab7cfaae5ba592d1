"""Waveforms of power networks, recorded or generated, split by source and cut into sequences of windows."""
