"""The sound of a machine, synthetic: healthy, or with a fault."""
