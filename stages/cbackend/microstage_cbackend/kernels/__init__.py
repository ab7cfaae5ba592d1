"""The C of the kernels, and what makes it fit a network: templates.py the plain ones, layouts.py the fast ones."""
