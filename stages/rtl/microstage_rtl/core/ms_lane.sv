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
        // Each bit of the weight takes or leaves the activation, shifted; the highest one is the sign.
        wire signed [PRODUCT_BITS-1:0] two = weight[1] ? wide <<< 1 : '0;
        // verilator lint_off UNUSEDSIGNAL
        wire signed [PRODUCT_BITS-1:0] four = weight[WEIGHT_BITS > 2 ? 2 : 1] ? wide <<< 2 : '0;
        // verilator lint_on UNUSEDSIGNAL
        wire signed [PRODUCT_BITS-1:0] one = weight[0] ? wide : '0;
        if (WEIGHT_BITS == 2) begin : two_bits
            always_ff @(posedge clk) product <= one - two;
        end else if (WEIGHT_BITS == 3) begin : three_bits
            always_ff @(posedge clk) product <= one + two - four;
        end else begin : four_bits
            wire signed [PRODUCT_BITS-1:0] eight = weight[WEIGHT_BITS-1] ? wide <<< 3 : '0;
            always_ff @(posedge clk) product <= one + two + four - eight;
        end
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
