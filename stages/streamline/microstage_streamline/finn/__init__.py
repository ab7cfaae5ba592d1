"""FINN's layout of an integer graph, its estimates, and the file."""
