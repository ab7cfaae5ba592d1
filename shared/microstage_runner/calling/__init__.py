"""Calling what was compiled, from Python: `predict`, `trace` and the notebook's view of an artefact.

NumPy is imported here and nowhere else in the runner, when one of them is called.
"""
