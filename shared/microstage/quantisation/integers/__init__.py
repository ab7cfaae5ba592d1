"""A network in integers alone: its operations, run exactly and compared with what it was made of."""
