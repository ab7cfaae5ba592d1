"""Write the folder `rtl/`: the top module, the machine's modules, memories, ports, vectors."""
