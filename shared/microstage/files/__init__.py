"""Files of our own: canonical bytes and their digests, written whole or not at all, locked."""
