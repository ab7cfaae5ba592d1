// Fetches the words that describe one layer into registers. `program/words.py` lists them in this order.
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
    input  logic                       fetch,   // begin with the next layer; the first follows the last
    output logic                       ready,   // for one clock, when all words are there
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
    logic             asking, there;
    // verilator lint_off UNUSEDSIGNAL
    wire [WORD_BITS-1:0] word;  // no field has all of its bits
    // verilator lint_on UNUSEDSIGNAL

    ms_rom #(.DEPTH(DEPTH), .WIDTH(WORD_BITS), .BANK(BANK), .ADDRESS_BITS(BITS), .FILE("program")) fetched (
        .clk, .address(next), .data(word)
    );

    always_ff @(posedge clk)
        if (!rst_n) begin
            next <= '0;
            asked <= '0;
            asking <= 1'b0;
            there <= 1'b0;
            ready <= 1'b0;
        end else begin
            ready <= there && place == 5'(WORDS - 1);
            there <= asking;
            place <= asked;
            if (fetch) begin
                asking <= 1'b1;
                asked <= '0;
            end else if (asking) begin
                asking <= asked != 5'(WORDS - 1);
                asked <= asked + 1'b1;
                next <= next == BITS'(DEPTH - 1) ? '0 : next + 1'b1;
            end
        end

    always_ff @(posedge clk)
        if (there) begin
            if (place == 0) {ends_frame, on_start, to_stream, single, kind} <= word[7:0];
            if (place == 1) {even, looks_up, row_step, shift, halvings} <= word[10:0];
            if (place == 14) read <= word[ADDRESS_BITS-1:0];
            if (place == 15) weight <= word[WEIGHT_BITS-1:0];
            if (place == 16) write <= word[ADDRESS_BITS-1:0];
            if (place == 17) channels <= word[CHANNEL_BITS-1:0];
            if (place == 18) write_jump <= word[ADDRESS_BITS-1:0];
            if (place == 19) row <= word[ROW_BITS-1:0];
            if (place == 20) table_row <= word[TABLE_BITS-1:0];
            if (place == 21) table_step <= word[TABLE_BITS-1:0];
            if (place == 22) low <= word[LEVEL_BITS-1:0];
            if (place == 23) high <= word[LEVEL_BITS-1:0];
        end

    for (genvar i = 0; i < 6; i++) begin : loop  // the innermost first
        always_ff @(posedge clk)
            if (there) begin
                if (place == 5'(2 + i)) counts[i*COUNT_BITS +: COUNT_BITS] <= word[COUNT_BITS-1:0];
                if (place == 5'(8 + i)) jumps[i*ADDRESS_BITS +: ADDRESS_BITS] <= word[ADDRESS_BITS-1:0];
            end
    end
endmodule
