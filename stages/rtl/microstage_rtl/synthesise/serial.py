"""Wrap the top module for devices of few pins: data go in and out bit by bit, the other signals as they are."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["add_serial"]


def add_serial(folder: Path, top: str) -> str:
    """Write <top>_serial.sv to `folder`, where `top` and its ports.json are; return the name of its module.

    `s_shift` shifts `s_bit` into the word that is offered, the highest bit first; a word that was taken is shifted out
    by `m_shift`, likewise.
    """
    ports = json.loads((folder / "ports.json").read_text())
    widths = {side: ports[name][0]["width"] for side, name in (("IN", "inputs"), ("OUT", "outputs"))}
    text = _SERIAL.replace("@TOP@", top)
    for side, width in widths.items():
        text = text.replace(f"@{side}@", str(width))
    (folder / f"{top}_serial.sv").write_text(text)
    return f"{top}_serial"


_SERIAL = """\
module @TOP@_serial (
    input  logic clk, input logic rst_n,
    input  logic s_bit, input logic s_shift, input logic s_axis_tvalid, output logic s_axis_tready,
    input  logic s_axis_tlast, input logic s_axis_tuser,
    output logic m_bit, input logic m_shift, output logic m_axis_tvalid, input logic m_axis_tready,
    output logic m_axis_tlast
);
    logic [@IN@-1:0] offered;
    logic [@OUT@-1:0] given, taken;
    assign m_bit = taken[@OUT@-1];
    always_ff @(posedge clk) begin
        if (s_shift) offered <= {offered[@IN@-2:0], s_bit};
        if (m_axis_tvalid && m_axis_tready) taken <= given;
        else if (m_shift) taken <= {taken[@OUT@-2:0], 1'b0};
    end
    @TOP@ network (
        .clk, .rst_n, .s_axis_tdata(offered), .s_axis_tvalid, .s_axis_tready, .s_axis_tlast, .s_axis_tuser,
        .m_axis_tdata(given), .m_axis_tvalid, .m_axis_tready, .m_axis_tlast
    );
endmodule
"""
