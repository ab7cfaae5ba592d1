"""What integers cost: each layer's values in floats beside its integers, and where the error of one answer comes from.

`twins` is what a network has to offer, `measuring` what is made of it, `report` says it. docs/explain.md.
"""
