"""Sweeps: the points of lists of values, their jobs on an engine, and what came of each point."""
