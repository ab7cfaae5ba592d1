"""Hold the C of the interpreter of network files, microstage-run, and compile it (docs/interpreter.md)."""
