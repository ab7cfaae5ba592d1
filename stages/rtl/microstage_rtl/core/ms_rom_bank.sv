// One bank of a memory that is read only, as synthesis puts it into block RAM.
module ms_rom_bank #(
    parameter int DEPTH = 16,
    parameter int WIDTH = 8,
    parameter int ADDRESS_BITS = 4,
    parameter FILE = "weights_a.hex"
) (
    input  logic                    clk,
    // verilator lint_off UNUSEDSIGNAL
    input  logic [ADDRESS_BITS-1:0] address,  // its upper bits choose the bank
    // verilator lint_on UNUSEDSIGNAL
    output logic [WIDTH-1:0]        data
);
    localparam int BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
    (* ram_style = "block" *) logic [WIDTH-1:0] words[0:DEPTH-1];
    initial $readmemh(FILE, words);
    always_ff @(posedge clk) data <= words[BITS'(address)];
endmodule
