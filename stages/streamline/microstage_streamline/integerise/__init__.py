"""From a normalised graph to integers alone."""
