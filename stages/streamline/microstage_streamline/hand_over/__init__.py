"""Hand integer graphs over to FINN: a folder for each, with which an unmodified finn-plus builds it."""
