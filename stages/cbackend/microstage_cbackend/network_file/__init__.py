"""Write and read `<name>.msn`, the file that the interpreter loads: docs/network-file.md describes it byte by byte.

records.py, numbers.py   what the file is made of; tables.py makes the page's tables and the interpreter's header of it
write.py                 a model as bytes: names, faces, constants, parts, programs
read.py                  bytes, after all checks, as tables; run.py computes what the programs mean, in NumPy
"""
