"""The cbackend stage: integer graphs in, tested C99 out."""
