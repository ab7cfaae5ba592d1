"""Cut the converted graph into parts, from the integers that enter to the answers."""
