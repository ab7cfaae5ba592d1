"""Write models of the cells of an ECP5 of which yosys has none: its block RAM and its multiplier.

The others are yosys' own, which are included. Ports and parameters are named as in Lattice's library; what yosys never
uses (output registers, chip selects) is not modelled.
"""

from __future__ import annotations

__all__ = ["cells"]


def cells() -> str:
    """Return Verilog for a simulator that finds yosys' `lattice` folder among its includes."""
    return "\n".join([_INCLUDES, _block_ram(), _multiplier()])


_INCLUDES = '`include "common_sim.vh"\n`include "ccu2c_sim.vh"\n'


def _bits(name: str, width: int) -> str:
    """Return the single-bit ports of a bus, the highest first."""
    return ", ".join(f"{name}{bit}" for bit in reversed(range(width)))


def _block_ram() -> str:
    """Return DP16KD: 2048 bytes of 9 bits, of which a port reads and writes a part of one, one, two or four.

    An address counts eighths of a byte. Wide ports take the lowest bits of their address as enables of bytes. A port of
    36 bits takes the other port's data pins as well: port A writes, port B reads.
    """
    values = [f"INITVAL_{index:02X}" for index in range(64)]
    declared = "\n".join(f"    parameter [319:0] {name} = 320'b0;" for name in values)
    filled = "\n".join(
        f"            mem[{32 * index} + 2 * i] = {name}[20 * i +: 9];\n"
        f"            mem[{32 * index} + 2 * i + 1] = {name}[20 * i + 9 +: 9];"
        for index, name in enumerate(values)
    )
    return f"""\
module DP16KD (
    input {_bits("DIA", 18)}, {_bits("DIB", 18)},
    input {_bits("ADA", 14)}, {_bits("ADB", 14)},
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0, CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output {_bits("DOA", 18)}, {_bits("DOB", 18)}
);
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG", RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000", CLKAMUX = "CLKA", CLKBMUX = "CLKB", GSR = "AUTO";
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
{declared}
    reg [8:0] mem [0:2047];
    integer i;
    initial begin
        for (i = 0; i < 16; i = i + 1) begin
{filled}
        end
    end
    wire [35:0] di = {{{_bits("DIB", 18)}, {_bits("DIA", 18)}}};
    wire [13:0] ada = {{{_bits("ADA", 14)}}}, adb = {{{_bits("ADB", 14)}}};
    reg [35:0] qa = 0, qb = 0;
    wire wide = DATA_WIDTH_B == 36;
    assign {{{_bits("DOA", 18)}}} = wide ? qb[17:0] : qa[17:0];
    assign {{{_bits("DOB", 18)}}} = wide ? qb[35:18] : qb[17:0];
{_port("a", "DATA_WIDTH_A", "WRITEMODE_A", "di")}
{_port("b", "DATA_WIDTH_B", "WRITEMODE_B", "{18'b0, di[35:18]}")}
endmodule
"""


def _port(port: str, width: str, mode: str, data: str) -> str:
    """Return what one port does at its clock's edge."""
    upper = port.upper()
    return f"""\
    wire [35:0] new_{port} = {data};
    wire [10:0] byte_{port} = ad{port}[13:3];
    reg [35:0] old_{port};
    always @* begin
        case ({width})
            36: old_{port} = {{mem[{{byte_{port}[10:2], 2'd3}}], mem[{{byte_{port}[10:2], 2'd2}}],
                          mem[{{byte_{port}[10:2], 2'd1}}], mem[{{byte_{port}[10:2], 2'd0}}]}};
            18: old_{port} = {{18'b0, mem[{{byte_{port}[10:1], 1'b1}}], mem[{{byte_{port}[10:1], 1'b0}}]}};
            9: old_{port} = {{27'b0, mem[byte_{port}]}};
            4: old_{port} = {{32'b0, mem[byte_{port}][{{ad{port}[2], 2'b0}} +: 4]}};
            2: old_{port} = {{34'b0, mem[byte_{port}][{{ad{port}[2:1], 1'b0}} +: 2]}};
            default: old_{port} = {{35'b0, mem[byte_{port}][ad{port}[2:0]]}};
        endcase
    end
    always @(posedge CLK{upper}) begin
        if (CE{upper} && WE{upper})
            case ({width})
                36: begin
                    if (ad{port}[0]) mem[{{byte_{port}[10:2], 2'd0}}] <= new_{port}[8:0];
                    if (ad{port}[1]) mem[{{byte_{port}[10:2], 2'd1}}] <= new_{port}[17:9];
                    if (ad{port}[2]) mem[{{byte_{port}[10:2], 2'd2}}] <= new_{port}[26:18];
                    if (ad{port}[3]) mem[{{byte_{port}[10:2], 2'd3}}] <= new_{port}[35:27];
                end
                18: begin
                    if (ad{port}[0]) mem[{{byte_{port}[10:1], 1'b0}}] <= new_{port}[8:0];
                    if (ad{port}[1]) mem[{{byte_{port}[10:1], 1'b1}}] <= new_{port}[17:9];
                end
                9: mem[byte_{port}] <= new_{port}[8:0];
                4: mem[byte_{port}][{{ad{port}[2], 2'b0}} +: 4] <= new_{port}[3:0];
                2: mem[byte_{port}][{{ad{port}[2:1], 1'b0}} +: 2] <= new_{port}[1:0];
                default: mem[byte_{port}][ad{port}[2:0]] <= new_{port}[0];
            endcase
        if (RST{upper}) q{port} <= 0;
        else if (CE{upper}) begin
            if (!WE{upper} || {mode} == "READBEFOREWRITE") q{port} <= old_{port};
            else if ({mode} == "WRITETHROUGH") q{port} <= new_{port};
        end
    end"""


def _multiplier() -> str:
    """Return MULT18X18D without its registers: the product of two numbers of 18 bits, each signed or not."""
    return f"""\
module MULT18X18D (
    input {_bits("A", 18)}, {_bits("B", 18)}, {_bits("C", 18)},
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output {_bits("P", 36)}
);
    wire signed [18:0] a = {{SIGNEDA & A17, {_bits("A", 18)}}}, b = {{SIGNEDB & B17, {_bits("B", 18)}}};
    wire signed [37:0] product = a * b;
    assign {{{_bits("P", 36)}}} = product[35:0];
endmodule
"""
