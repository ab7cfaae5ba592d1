"""The stage `rtl`: streamline's integer graphs as SystemVerilog that needs no vendor's tool."""
