// Six nested loops, the innermost last: two over positions, one over groups of filters, three over the integers of one
// result. Each step moves the address by the jump of the outermost loop that moves on.
module ms_loops #(
    parameter int ADDRESS_BITS = 8,
    parameter int WEIGHT_BITS = 8,  // of a weight's address
    parameter int COUNT_BITS = 8,
    parameter logic [47:0] LOOP_BITS = {6{8'd8}}  // a byte for each loop, the innermost lowest
) (
    input  logic                      clk,
    input  logic                      start,
    input  logic                      step,
    // verilator lint_off UNUSEDSIGNAL
    input  logic [6*COUNT_BITS-1:0]   counts,  // less one, the innermost lowest
    // verilator lint_on UNUSEDSIGNAL
    input  logic [6*ADDRESS_BITS-1:0] jumps,
    input  logic [ADDRESS_BITS-1:0]   read,
    input  logic [WEIGHT_BITS-1:0]    weight,
    output logic [ADDRESS_BITS-1:0]   address,
    output logic [WEIGHT_BITS-1:0]    weight_address,
    output logic                      first,  // integer of a result
    output logic                      last,   // integer of a result
    output logic                      done    // last integer of the last result
);
    wire [5:0] at_end;
    wire [6:0] inner_end;  // all loops within this one are at their end
    wire [6*ADDRESS_BITS-1:0] chosen;
    assign inner_end = {&at_end, &at_end[4:0], &at_end[3:0], &at_end[2:0], &at_end[1:0], at_end[0], 1'b1};
    for (genvar i = 0; i < 6; i++) begin : loop
        localparam int BITS = int'(LOOP_BITS[8*i +: 8]);
        ms_counter #(.BITS(BITS)) count (
            .clk, .start, .step(step && inner_end[i]), .from(counts[i*COUNT_BITS +: BITS]), .at_end(at_end[i])
        );
        assign chosen[i*ADDRESS_BITS +: ADDRESS_BITS] =
            {ADDRESS_BITS{inner_end[i] && !at_end[i]}} & jumps[i*ADDRESS_BITS +: ADDRESS_BITS];
    end
    wire [ADDRESS_BITS-1:0] jump = chosen[0 +: ADDRESS_BITS] | chosen[ADDRESS_BITS +: ADDRESS_BITS]
        | chosen[2*ADDRESS_BITS +: ADDRESS_BITS] | chosen[3*ADDRESS_BITS +: ADDRESS_BITS]
        | chosen[4*ADDRESS_BITS +: ADDRESS_BITS] | chosen[5*ADDRESS_BITS +: ADDRESS_BITS];
    assign last = inner_end[3];
    assign done = inner_end[6];

    always_ff @(posedge clk)
        if (start) begin
            address <= read;
            weight_address <= weight;
            first <= 1'b1;
        end else if (step) begin
            address <= address + jump;
            first <= last;
            if (inner_end[4]) weight_address <= weight;  // the next position meets the same weights
            else weight_address <= weight_address + 1'b1;
        end
endmodule
