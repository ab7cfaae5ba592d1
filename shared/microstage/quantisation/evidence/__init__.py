"""How good methods of quantising are, on trained networks: the same weights, the same examples, in one run."""
