"""Read a file that somebody else wrote into a `Graph`, or say in one sentence what is wrong with it."""
