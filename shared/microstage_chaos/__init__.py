"""`make chaos`: kills, full disks, flipped bits and other misfortune over small runs of every family of networks.

`ground` makes the undisturbed runs and the places where each try happens; a module for each kind of fault says what is
done to a run, and what must hold afterwards; `table` tries them all. In no image, as the benchmarks are.
"""
