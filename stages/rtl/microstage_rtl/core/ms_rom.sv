// A memory that is read only: DEPTH words of WIDTH bits, read one clock after their address.
// BANKS files hold BANK words each, the last one the rest: sizes that block RAMs have without waste.
module ms_rom #(
    parameter int DEPTH = 16,
    parameter int WIDTH = 8,
    parameter int BANK = 16,
    parameter int ADDRESS_BITS = 4,
    parameter FILE = "weights"
) (
    input  logic                    clk,
    input  logic [ADDRESS_BITS-1:0] address,
    output logic [WIDTH-1:0]        data
);
    localparam int BANKS = (DEPTH + BANK - 1) / BANK;

    wire [BANKS*WIDTH-1:0] found;
    for (genvar b = 0; b < BANKS; b++) begin : bank
        ms_rom_bank #(
            .DEPTH(b < BANKS - 1 ? BANK : DEPTH - b * BANK), .WIDTH(WIDTH), .ADDRESS_BITS(ADDRESS_BITS),
            .FILE({FILE, "_", 8'(97 + b), ".hex"})
        ) one (
            .clk, .address(BANKS == 1 ? address : address & ADDRESS_BITS'(BANK - 1)), .data(found[b*WIDTH +: WIDTH])
        );
    end

    if (BANKS == 1) begin : alone
        assign data = found;
    end else begin : some
        logic [ADDRESS_BITS-1:0] which;
        always_ff @(posedge clk) which <= address / ADDRESS_BITS'(BANK);
        assign data = found[which*WIDTH +: WIDTH];
    end
endmodule
