// One loop: counts down from `from`, begins again behind zero.
module ms_counter #(
    parameter int BITS = 4
) (
    input  logic            clk,
    input  logic            start,
    input  logic            step,
    input  logic [BITS-1:0] from,
    output logic            at_end
);
    logic [BITS-1:0] left;
    assign at_end = left == 0;
    always_ff @(posedge clk)
        if (start || (step && at_end)) left <= from;
        else if (step) left <= left - 1'b1;
endmodule
