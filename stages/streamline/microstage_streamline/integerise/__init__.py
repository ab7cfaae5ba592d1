"""Make a graph of integers alone of a normalised one."""
