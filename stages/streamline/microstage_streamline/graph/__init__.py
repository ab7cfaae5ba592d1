"""Hold a graph that is rewritten: its nodes and constants, how large they are, and which are straight lines."""
