"""Write C: the functions of a network, their kernels and constants, and a folder that builds them."""
