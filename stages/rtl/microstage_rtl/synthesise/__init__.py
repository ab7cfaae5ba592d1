"""Synthesise the folder, and with PLACE=1 place and route it: resources, clock, bitstream."""
