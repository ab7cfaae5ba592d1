// LANES filters at once: every lane meets the same activation with a weight of its own.
module ms_macs #(
    parameter int LANES = 4,
    parameter int OPERAND_BITS = 8,
    parameter int WEIGHT_BITS = 8,
    parameter int SUM_BITS = 20
) (
    input  logic                           clk,
    input  logic signed [OPERAND_BITS-1:0] x,
    input  logic [LANES*WEIGHT_BITS-1:0]   weights,
    input  logic                           valid,
    input  logic                           first,
    input  logic                           load,   // sums into the registers that move
    input  logic                           move,
    output logic signed [SUM_BITS-1:0]     out     // of the lowest lane, then of those above it
);
    logic add, first_product;
    wire signed [(LANES+1)*SUM_BITS-1:0] moving;
    assign moving[LANES*SUM_BITS +: SUM_BITS] = '0;
    assign out = moving[SUM_BITS-1:0];

    always_ff @(posedge clk) begin
        add <= valid;
        first_product <= first;
    end
    for (genvar l = 0; l < LANES; l++) begin : lane
        ms_lane #(.OPERAND_BITS(OPERAND_BITS), .WEIGHT_BITS(WEIGHT_BITS), .SUM_BITS(SUM_BITS)) filter (
            .clk, .x, .weight(weights[l*WEIGHT_BITS +: WEIGHT_BITS]), .add, .first(first_product), .load, .move,
            .above(signed'(moving[(l+1)*SUM_BITS +: SUM_BITS])), .moving(moving[l*SUM_BITS +: SUM_BITS])
        );
    end
endmodule
