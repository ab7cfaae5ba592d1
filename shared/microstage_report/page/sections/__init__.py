"""The sections of a page: each a function that makes of the facts what its template shows."""
