"""`make fuzz`: every reader of somebody else's file, and the generated C, on inputs that a fuzzer makes of small ones.

`targets` lists what is fuzzed and where it runs. `python -m microstage_fuzz` fuzzes or replays one reader in its
stage's environment; `campaign` shares the seconds out and counts. The runner's command `fuzz` calls it.
"""
