"""Kernels for small machines: their C, the order of their constants, the working memory that they need."""
