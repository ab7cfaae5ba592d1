"""What the stages hand to one another, and to C.

`interface.json`, golden vectors, and names that both sides must agree on.
"""
