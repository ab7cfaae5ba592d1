"""Prove the folder: its beats replayed under Verilator, of the sources and of what yosys makes of them."""
