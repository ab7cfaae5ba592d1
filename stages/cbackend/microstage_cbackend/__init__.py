"""Turn integer graphs into C99 that passed its self test: the cbackend stage."""
