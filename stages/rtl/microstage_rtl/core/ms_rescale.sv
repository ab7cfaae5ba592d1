// floor(value / 2^places + 1/2), held to -HELD..HELD; a negative number of places multiplies. -31 <= places <= 31.
module ms_rescale #(
    parameter int BITS = 20,
    parameter int SUM_BITS = 24,
    parameter int HELD = 127
) (
    input  logic                       clk,
    input  logic signed [BITS-1:0]     value,
    // verilator lint_off UNUSEDSIGNAL
    input  logic signed [BITS-1:0]     places,  // its sign, and five bits
    // verilator lint_on UNUSEDSIGNAL
    output logic signed [SUM_BITS-1:0] rescaled
);
    localparam int WIDE = BITS + 32;
    localparam logic signed [WIDE-1:0] MOST = WIDE'(HELD);

    wire [4:0] up = places[BITS-1] ? 5'(-places) : 5'd0;
    wire [4:0] down = places[BITS-1] ? 5'd0 : places[4:0];
    wire signed [WIDE-1:0] twice = WIDE'(value) <<< 1;
    wire signed [WIDE-1:0] halves = twice >>> down;
    wire signed [WIDE-1:0] rounded = (halves + 1) >>> 1;
    wire signed [WIDE-1:0] raised = WIDE'(value) <<< up;

    logic signed [WIDE-1:0] wide;
    always_ff @(posedge clk) wide <= places[BITS-1] ? raised : rounded;
    assign rescaled = wide > MOST ? SUM_BITS'(MOST) : wide < -MOST ? SUM_BITS'(-MOST) : SUM_BITS'(wide);
endmodule
