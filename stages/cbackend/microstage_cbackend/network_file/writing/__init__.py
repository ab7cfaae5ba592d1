"""Write a model as a network file."""
