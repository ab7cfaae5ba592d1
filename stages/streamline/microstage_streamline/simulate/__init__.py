"""Simulate FINN's hardware layers without a vendor's tool: its C++ by a compiler, its RTL by Verilator."""
