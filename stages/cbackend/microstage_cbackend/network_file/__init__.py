"""Write and read `<name>.msn`, the file that the interpreter loads: docs/network-file.md describes it byte by byte.

format/    records and numbers, of which the page's tables and the interpreter's header are made
writing/   a model as bytes: names, constants, faces, parts, programs
reading/   bytes, after all checks, as tables; what the programs mean, in NumPy
"""
