"""How a program of ours runs and ends: exit codes, signals, output streams, memory, progress."""
