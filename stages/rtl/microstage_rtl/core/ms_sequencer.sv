// Runs one layer after another: take a frame or step through its loops, wait for the last result, go on.
// The last integer of a result waits until the result before it is stored, but where results of one integer flow.
module ms_sequencer #(
    parameter int ADDRESS_BITS = 8,
    parameter int CHANNEL_BITS = 8
) (
    input  logic                    clk,
    input  logic                    rst_n,
    // the layer
    output logic                    go_on,
    input  logic                    ready,
    input  logic                    takes_frame,
    input  logic                    on_start,
    input  logic                    flows,
    input  logic [ADDRESS_BITS-1:0] write,
    input  logic [CHANNEL_BITS-1:0] channels,
    // the loops
    output logic                    start,
    output logic                    step,
    input  logic                    last,
    input  logic                    done,
    input  logic                    stored,  // the last integer of a group of results
    // the input stream
    input  logic                    s_axis_tvalid,
    output logic                    s_axis_tready,
    input  logic                    s_axis_tlast,
    input  logic                    s_axis_tuser,
    output logic [ADDRESS_BITS-1:0] frame_address
);
    localparam logic [1:0] LOAD = 2'd0, RUN = 2'd1, WAIT = 2'd2, TAKE = 2'd3;

    logic [1:0] state;
    logic       begun, fresh, starts;
    logic [5:0] open;  // groups of results that are not stored yet
    logic [CHANNEL_BITS-1:0] left;
    logic       first_beat, too_long;

    wire beat = s_axis_tvalid && s_axis_tready;
    wire frame_ends = beat && s_axis_tlast && left == 0 && !too_long;
    wire starting = first_beat ? s_axis_tuser || fresh : starts;
    wire skipped = on_start && !starts;
    assign s_axis_tready = state == TAKE;
    assign step = state == RUN && (!last || flows || open == 0);
    assign start = ready && !takes_frame && !skipped;
    assign go_on = !begun || (ready && skipped) || (state == WAIT && open == 0) || frame_ends;

    always_ff @(posedge clk)
        if (!rst_n) begin
            state <= LOAD;
            begun <= 1'b0;
            open <= '0;
            fresh <= 1'b1;
            starts <= 1'b1;
        end else begin
            begun <= 1'b1;
            if (step && last && !stored) open <= open + 1'b1;
            if (stored && !(step && last)) open <= open - 1'b1;
            if (beat) starts <= starting;
            if (beat && s_axis_tlast) fresh <= starting && !frame_ends;  // the next frame starts what a dropped one was to
            case (state)
                LOAD: if (ready && takes_frame) state <= TAKE; else if (start) state <= RUN;
                RUN: if (step && done) state <= WAIT;
                WAIT: if (open == 0) state <= LOAD;
                default: if (frame_ends) state <= LOAD;
            endcase
        end

    // A frame that ends early or late is dropped: the next one begins behind its last beat.
    always_ff @(posedge clk)
        if (ready || (beat && s_axis_tlast)) begin
            frame_address <= write;
            left <= channels;
            first_beat <= 1'b1;
            too_long <= 1'b0;
        end else if (beat) begin
            first_beat <= 1'b0;
            if (left == 0) too_long <= 1'b1;
            else begin
                frame_address <= frame_address + 1'b1;
                left <= left - 1'b1;
            end
        end
endmodule
