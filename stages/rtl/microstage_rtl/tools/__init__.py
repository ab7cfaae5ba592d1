"""Run the programs that synthesise and simulate: yosys, nextpnr, Verilator."""
