"""train: a dataset in, a quantised network's weights out."""
