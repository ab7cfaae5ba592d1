"""The command `microstage`: what `make` does in a checkout, with options, help and completion, and without a checkout.

An option is another way to type a variable: `--cycles 0.5` is CYCLES=0.5, and both may stand on one line.
"""
