"""What networks are quantised for: one JSON file each."""
