"""What a page says, read from the published artefacts of a run."""
