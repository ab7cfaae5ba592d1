// One filter: products of an activation and a weight, summed; then the sum moves out through the lanes below.
// Weights of one bit are +1 (0) and -1 (1). Products with up to four bits are sums of shifted activations.
module ms_lane #(
    parameter int OPERAND_BITS = 8,
    parameter int WEIGHT_BITS = 8,
    parameter int SUM_BITS = 20
) (
    input  logic                           clk,
    input  logic signed [OPERAND_BITS-1:0] x,
    input  logic [WEIGHT_BITS-1:0]         weight,
    input  logic                           add,    // the product of the clock before
    input  logic                           first,  // product of a sum
    input  logic                           load,   // the sum into the register that moves
    input  logic                           move,
    input  logic signed [SUM_BITS-1:0]     above,
    output logic signed [SUM_BITS-1:0]     moving
);
    localparam int PRODUCT_BITS = OPERAND_BITS + WEIGHT_BITS;

    logic signed [SUM_BITS-1:0] sum;
    // verilator lint_off UNUSEDSIGNAL
    logic signed [PRODUCT_BITS-1:0] product;
    // verilator lint_on UNUSEDSIGNAL
    // verilator lint_off UNUSEDSIGNAL
    wire signed [PRODUCT_BITS-1:0] wide = PRODUCT_BITS'(x);
    // verilator lint_on UNUSEDSIGNAL
    if (WEIGHT_BITS == 1) begin : sign
        wire signed [PRODUCT_BITS-1:0] negative = -wide;
        always_ff @(posedge clk) product <= weight[0] ? negative : wide;
    end else if (WEIGHT_BITS <= 4) begin : narrow
        wire signed [(WEIGHT_BITS+1)*PRODUCT_BITS-1:0] parts;
        assign parts[0 +: PRODUCT_BITS] = '0;
        for (genvar i = 0; i < WEIGHT_BITS; i++) begin : bit_of_weight
            wire signed [PRODUCT_BITS-1:0] part = {PRODUCT_BITS{weight[i]}} & (wide <<< i);
            if (i < WEIGHT_BITS - 1) begin : adds
                assign parts[(i+1)*PRODUCT_BITS +: PRODUCT_BITS] = parts[i*PRODUCT_BITS +: PRODUCT_BITS] + part;
            end else begin : subtracts
                assign parts[(i+1)*PRODUCT_BITS +: PRODUCT_BITS] = parts[i*PRODUCT_BITS +: PRODUCT_BITS] - part;
            end
        end
        always_ff @(posedge clk) product <= signed'(parts[WEIGHT_BITS*PRODUCT_BITS +: PRODUCT_BITS]);
    end else begin : multiplier
        always_ff @(posedge clk) product <= x * signed'(weight);
    end

    wire signed [SUM_BITS-1:0] base = first ? '0 : sum;
    always_ff @(posedge clk) begin
        if (add) sum <= base + SUM_BITS'(product);
        if (load) moving <= sum;
        else if (move) moving <= above;
    end
endmodule
