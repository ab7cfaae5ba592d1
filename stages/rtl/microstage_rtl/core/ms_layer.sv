// Holds the words that describe the layer that runs, and fetches those of the next one meanwhile.
// `program/words.py` lists them in this order.
module ms_layer #(
    parameter int LAYERS = 1,
    parameter int WORD_BITS = 16,
    parameter int BANK = 32,
    parameter int ADDRESS_BITS = 8,
    parameter int WEIGHT_BITS = 8,
    parameter int COUNT_BITS = 8,
    parameter int CHANNEL_BITS = 8,
    parameter int ROW_BITS = 4,
    parameter int TABLE_BITS = 4,
    parameter int LEVEL_BITS = 8
) (
    input  logic                       clk,
    input  logic                       rst_n,
    input  logic                       go_on,   // to the next layer; the first follows the last
    output logic                       ready,   // for one clock, when its words are there
    output logic [3:0]                 kind,
    output logic                       single,
    output logic                       to_stream,
    output logic                       on_start,
    output logic                       ends_frame,
    output logic                       even,
    output logic                       looks_up,
    output logic                       row_step,
    output logic [3:0]                 shift,
    output logic [3:0]                 halvings,
    output logic [6*COUNT_BITS-1:0]    counts,
    output logic [6*ADDRESS_BITS-1:0]  jumps,
    output logic [ADDRESS_BITS-1:0]    read,
    output logic [WEIGHT_BITS-1:0]     weight,
    output logic [ADDRESS_BITS-1:0]    write,
    output logic [CHANNEL_BITS-1:0]    channels,
    output logic [ADDRESS_BITS-1:0]    write_jump,
    output logic [ROW_BITS-1:0]        row,
    output logic [TABLE_BITS-1:0]      table_row,
    output logic [TABLE_BITS-1:0]      table_step,
    output logic signed [LEVEL_BITS-1:0] low,
    output logic signed [LEVEL_BITS-1:0] high
);
    localparam int WORDS = 24;
    localparam int DEPTH = LAYERS * WORDS;
    localparam int BITS = $clog2(DEPTH + 1);

    logic [BITS-1:0]  next;   // address of the word that is asked for
    logic [4:0]       asked;  // its place in the layer
    logic [4:0]       place;  // place of the word that is there
    logic             asking, there, complete, wanted;
    // verilator lint_off UNUSEDSIGNAL
    wire [WORD_BITS-1:0] word;  // no field has all of its bits
    // verilator lint_on UNUSEDSIGNAL

    ms_rom #(.DEPTH(DEPTH), .WIDTH(WORD_BITS), .BANK(BANK), .ADDRESS_BITS(BITS), .FILE("program")) fetched (
        .clk, .address(next), .data(word)
    );

    wire moves = (go_on || wanted) && complete;
    always_ff @(posedge clk)
        if (!rst_n) begin
            next <= '0;
            asked <= '0;
            asking <= 1'b1;
            there <= 1'b0;
            complete <= 1'b0;
            wanted <= 1'b0;
            ready <= 1'b0;
        end else begin
            there <= asking;
            place <= asked;
            ready <= moves;
            wanted <= (go_on || wanted) && !moves;
            if (moves) complete <= 1'b0;
            else if (there && place == 5'(WORDS - 1)) complete <= 1'b1;
            if (moves) begin
                asking <= 1'b1;
                asked <= '0;
            end else if (asking) begin
                asking <= asked != 5'(WORDS - 1);
                asked <= asked + 1'b1;
                next <= next == BITS'(DEPTH - 1) ? '0 : next + 1'b1;
            end
        end

    // One register for a word that comes, one for the word of the layer that runs.
    logic [7:0] flags;
    logic [10:0] stage;
    logic [6*COUNT_BITS-1:0] next_counts;
    logic [6*ADDRESS_BITS-1:0] next_jumps;
    logic [ADDRESS_BITS-1:0] next_read, next_write, next_write_jump;
    logic [WEIGHT_BITS-1:0] next_weight;
    logic [CHANNEL_BITS-1:0] next_channels;
    logic [ROW_BITS-1:0] next_row;
    logic [TABLE_BITS-1:0] next_table_row, next_table_step;
    logic [LEVEL_BITS-1:0] next_low, next_high;
    always_ff @(posedge clk)
        if (there) begin
            if (place == 0) flags <= word[7:0];
            if (place == 1) stage <= word[10:0];
            if (place == 14) next_read <= word[ADDRESS_BITS-1:0];
            if (place == 15) next_weight <= word[WEIGHT_BITS-1:0];
            if (place == 16) next_write <= word[ADDRESS_BITS-1:0];
            if (place == 17) next_channels <= word[CHANNEL_BITS-1:0];
            if (place == 18) next_write_jump <= word[ADDRESS_BITS-1:0];
            if (place == 19) next_row <= word[ROW_BITS-1:0];
            if (place == 20) next_table_row <= word[TABLE_BITS-1:0];
            if (place == 21) next_table_step <= word[TABLE_BITS-1:0];
            if (place == 22) next_low <= word[LEVEL_BITS-1:0];
            if (place == 23) next_high <= word[LEVEL_BITS-1:0];
        end
    for (genvar i = 0; i < 6; i++) begin : loop  // the innermost first
        always_ff @(posedge clk)
            if (there) begin
                if (place == 5'(2 + i)) next_counts[i*COUNT_BITS +: COUNT_BITS] <= word[COUNT_BITS-1:0];
                if (place == 5'(8 + i)) next_jumps[i*ADDRESS_BITS +: ADDRESS_BITS] <= word[ADDRESS_BITS-1:0];
            end
    end

    always_ff @(posedge clk)
        if (moves) begin
            {ends_frame, on_start, to_stream, single, kind} <= flags;
            {even, looks_up, row_step, shift, halvings} <= stage;
            counts <= next_counts;
            jumps <= next_jumps;
            read <= next_read;
            weight <= next_weight;
            write <= next_write;
            channels <= next_channels;
            write_jump <= next_write_jump;
            row <= next_row;
            table_row <= next_table_row;
            table_step <= next_table_step;
            low <= signed'(next_low);
            high <= signed'(next_high);
        end
endmodule
