"""Every tensor of an integer network on inputs of the user's, by its place in the graph."""
