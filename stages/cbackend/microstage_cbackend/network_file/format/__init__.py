"""Define what a network file is made of; docs/network-file.md and the interpreter's header are written from it."""
