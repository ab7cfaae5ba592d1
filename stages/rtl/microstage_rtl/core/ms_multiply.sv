// a * b, two clocks later. A factor b of more than 18 bits is taken in two pieces, each of which one multiplier takes.
module ms_multiply #(
    parameter int A_BITS = 20,
    parameter int B_BITS = 18,
    parameter int BITS = 38
) (
    input  logic                     clk,
    input  logic signed [A_BITS-1:0] a,
    input  logic signed [B_BITS-1:0] b,
    output logic signed [BITS-1:0]   product
);
    localparam int PIECE = 17;
    if (B_BITS <= PIECE + 1) begin : one
        // verilator lint_off UNUSEDSIGNAL
        logic signed [A_BITS+B_BITS-1:0] full;  // of products that are proven to fit
        // verilator lint_on UNUSEDSIGNAL
        always_ff @(posedge clk) begin
            full <= a * b;
            product <= BITS'(full);
        end
    end else begin : two
        localparam int HIGH = B_BITS - PIECE;
        logic signed [A_BITS+PIECE:0] lower;
        logic signed [A_BITS+HIGH-1:0] upper;
        always_ff @(posedge clk) begin
            lower <= a * signed'({1'b0, b[PIECE-1:0]});
            upper <= a * signed'(b[B_BITS-1:PIECE]);
            product <= (BITS'(upper) <<< PIECE) + BITS'(lower);
        end
    end
endmodule
