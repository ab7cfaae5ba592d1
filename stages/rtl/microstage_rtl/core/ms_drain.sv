// Sends sums on, one a clock or one after the other: which channel each is of, and where its integer will lie.
module ms_drain #(
    parameter int LANES = 4,
    parameter int ADDRESS_BITS = 8,
    parameter int CHANNEL_BITS = 8,
    parameter int ROW_BITS = 4,
    parameter int TABLE_BITS = 4
) (
    input  logic                    clk,
    input  logic                    rst_n,
    input  logic                    start,     // of a layer
    input  logic                    load,      // sums are in the registers that move, from the next clock on
    input  logic                    load_final,
    input  logic                    single,    // one sum in a group, not one for each lane
    input  logic                    in_file,   // the next sum waits until the one before it is stored
    input  logic                    stored,
    input  logic [ADDRESS_BITS-1:0] write,
    input  logic [ADDRESS_BITS-1:0] write_jump,
    input  logic [CHANNEL_BITS-1:0] channels,  // less one
    input  logic [ROW_BITS-1:0]     row,
    input  logic                    row_step,
    input  logic [TABLE_BITS-1:0]   table_row,
    input  logic [TABLE_BITS-1:0]   table_step,
    output logic                    take,      // the sum of this clock
    output logic                    group_end,
    output logic                    final_one,
    output logic [ADDRESS_BITS-1:0] address,
    output logic [ROW_BITS-1:0]     row_now,
    output logic [TABLE_BITS-1:0]   table_now
);
    localparam int LANE_BITS = LANES > 1 ? $clog2(LANES) : 1;

    logic                    active, ending, busy;
    logic [LANE_BITS-1:0]    lane;
    logic [CHANNEL_BITS-1:0] left;

    assign take = active && !(in_file && busy);
    assign group_end = single || lane == LANE_BITS'(LANES - 1) || left == 0;
    assign final_one = ending && group_end;

    always_ff @(posedge clk)
        if (!rst_n) begin
            active <= 1'b0;
            busy <= 1'b0;
        end else begin
            if (load) active <= 1'b1;
            else if (take && group_end) active <= 1'b0;
            if (take) busy <= 1'b1;
            else if (stored) busy <= 1'b0;
        end

    always_ff @(posedge clk) begin
        if (load) ending <= load_final;
        if (load) lane <= '0;
        else if (take) lane <= lane + 1'b1;
        if (start) begin
            address <= write;
            left <= channels;
            row_now <= row;
            table_now <= table_row;
        end else if (take) begin
            if (left == 0) begin
                address <= address + write_jump;
                left <= channels;
                row_now <= row;
                table_now <= table_row;
            end else begin
                address <= address + 1'b1;
                left <= left - 1'b1;
                row_now <= row_now + ROW_BITS'(row_step);
                table_now <= table_now + table_step;
            end
        end
    end
endmodule
