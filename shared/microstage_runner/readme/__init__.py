"""README's tables, measured anew by the commands that stand beside them."""
