"""Read a network file, check it, and compute what it means."""
