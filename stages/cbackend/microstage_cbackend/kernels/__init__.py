"""Hold the C of the kernels, and fit it to a network: templates.py the plain ones, layouts.py the fast ones."""
