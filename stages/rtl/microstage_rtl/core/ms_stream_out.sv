// Holds one integer for the output stream until it is taken.
module ms_stream_out #(
    parameter int BITS = 8,
    parameter int WIDTH = 8
) (
    input  logic                   clk,
    input  logic                   rst_n,
    input  logic                   valid,
    // verilator lint_off UNUSEDSIGNAL
    input  logic signed [BITS-1:0] value,  // what is sent needs not all of its bits
    // verilator lint_on UNUSEDSIGNAL
    input  logic                   last,
    output logic                   taken,
    output logic [WIDTH-1:0]       m_axis_tdata,
    output logic                   m_axis_tvalid,
    input  logic                   m_axis_tready,
    output logic                   m_axis_tlast
);
    assign taken = m_axis_tvalid && m_axis_tready;
    always_ff @(posedge clk)
        if (!rst_n) m_axis_tvalid <= 1'b0;
        else if (valid) m_axis_tvalid <= 1'b1;
        else if (m_axis_tready) m_axis_tvalid <= 1'b0;
    always_ff @(posedge clk)
        if (valid) begin
            m_axis_tdata <= WIDTH'(value);
            m_axis_tlast <= last;
        end
endmodule
