// The machine: a layer's loops read activations and weights, sums are requantised, and integers stored or sent.
// One integer a beat on both streams. A frame ends with tlast; tuser on its first beat starts a sequence anew.
module ms_machine #(
    parameter int LANES = 4,
    parameter int BITS = 8,          // of an activation
    parameter int OPERAND_BITS = 8,  // of an activation that meets weights
    parameter int WEIGHT_BITS = 8,
    parameter int SUM_BITS = 20,
    parameter int WORDS = 16,        // activations
    parameter int ADDRESS_BITS = 4,
    parameter int WEIGHT_ROWS = 16,
    parameter int WEIGHT_ROW_BITS = 4,
    parameter int WEIGHT_BANK = 16,
    parameter int COUNT_BITS = 8,
    parameter logic [47:0] LOOP_BITS = {6{8'd8}},
    parameter int CHANNEL_BITS = 8,
    parameter logic [7:0] KINDS = 8'hff,
    parameter int HELD = 127,
    parameter int ROWS = 16,
    parameter int ROW_BITS = 4,
    parameter int ROW_BANK = 16,
    parameter int MULTIPLIER_BITS = 18,
    parameter int OFFSET_BITS = 20,
    parameter int VALUE_BITS = 30,
    parameter int SHIFTS = 1,
    parameter logic [SHIFTS*8-1:0] SHIFT = '0,
    parameter int THRESHOLDS = 16,
    parameter int TABLE_BITS = 4,
    parameter int TABLE_BANK = 16,
    parameter int THRESHOLD_BITS = 20,
    parameter int HALVINGS = 4,      // of a search, at most; 0 where there is none
    parameter int LEVEL_BITS = 8,    // of what a line gives before its table
    parameter int VALUES = 0,        // words of tables
    parameter int VALUES_BANK = 16,
    parameter int EVEN = 0,          // whether a line rounds halves to even
    parameter int LAYERS = 1,
    parameter int WORD_BITS = 16,
    parameter int PROGRAM_BANK = 32,
    parameter int IN_WIDTH = 8,
    parameter int OUT_WIDTH = 8
) (
    input  logic                 clk,
    input  logic                 rst_n,
    // verilator lint_off UNUSEDSIGNAL
    input  logic [IN_WIDTH-1:0]  s_axis_tdata,  // whole bytes; what is above an activation is its sign
    // verilator lint_on UNUSEDSIGNAL
    input  logic                 s_axis_tvalid,
    output logic                 s_axis_tready,
    input  logic                 s_axis_tlast,
    input  logic                 s_axis_tuser,
    output logic [OUT_WIDTH-1:0] m_axis_tdata,
    output logic                 m_axis_tvalid,
    input  logic                 m_axis_tready,
    output logic                 m_axis_tlast
);
    localparam logic [3:0] MACS = 4'd0, INPUT = 4'd8;
    localparam int TAG_BITS = ADDRESS_BITS + 2;

    // The layer that runs.
    wire go_on, ready, single, to_stream, on_start, ends_frame, even, looks_up, row_step;
    wire [3:0] kind, shift, halvings;
    wire [6*COUNT_BITS-1:0] counts;
    wire [6*ADDRESS_BITS-1:0] jumps;
    wire [ADDRESS_BITS-1:0] read, write, write_jump;
    wire [WEIGHT_ROW_BITS-1:0] weight;
    wire [CHANNEL_BITS-1:0] channels;
    wire [ROW_BITS-1:0] row;
    wire [TABLE_BITS-1:0] table_row, table_step;
    wire signed [LEVEL_BITS-1:0] low, high;
    ms_layer #(
        .LAYERS(LAYERS), .WORD_BITS(WORD_BITS), .BANK(PROGRAM_BANK), .ADDRESS_BITS(ADDRESS_BITS),
        .WEIGHT_BITS(WEIGHT_ROW_BITS), .COUNT_BITS(COUNT_BITS), .CHANNEL_BITS(CHANNEL_BITS), .ROW_BITS(ROW_BITS),
        .TABLE_BITS(TABLE_BITS), .LEVEL_BITS(LEVEL_BITS)
    ) layer (
        .clk, .rst_n, .go_on, .ready, .kind, .single, .to_stream, .on_start, .ends_frame, .even, .looks_up, .row_step,
        .shift, .halvings, .counts, .jumps, .read, .weight, .write, .channels, .write_jump, .row, .table_row, .table_step, .low, .high
    );

    // What it does, step by step.
    wire start, step, first, last, done, stored;
    wire searches = HALVINGS != 0 && halvings != 0;
    wire in_file = searches || to_stream;
    wire [ADDRESS_BITS-1:0] frame_address, address;
    wire [WEIGHT_ROW_BITS-1:0] weight_address;
    ms_sequencer #(.ADDRESS_BITS(ADDRESS_BITS), .CHANNEL_BITS(CHANNEL_BITS)) sequencer (
        .clk, .rst_n, .go_on, .ready, .takes_frame(kind == INPUT), .on_start, .flows(single && !in_file), .write,
        .channels, .start, .step, .last, .done, .stored, .s_axis_tvalid, .s_axis_tready, .s_axis_tlast, .s_axis_tuser,
        .frame_address
    );
    ms_loops #(
        .ADDRESS_BITS(ADDRESS_BITS), .WEIGHT_BITS(WEIGHT_ROW_BITS), .COUNT_BITS(COUNT_BITS), .LOOP_BITS(LOOP_BITS)
    ) loops (
        .clk, .start, .step, .counts, .jumps, .read, .weight, .address, .weight_address, .first, .last, .done
    );

    // Memories: an activation and its weights are there two clocks behind their addresses.
    wire out_valid;
    wire signed [BITS-1:0] out;
    wire [TAG_BITS-1:0] out_tag;
    wire signed [BITS-1:0] activation;
    wire [LANES*WEIGHT_BITS-1:0] weights;
    wire beat = s_axis_tvalid && s_axis_tready;
    wire stores = out_valid && !to_stream;
    ms_ram #(.DEPTH(WORDS), .WIDTH(BITS), .BITS(ADDRESS_BITS)) activations (
        .clk, .write(beat || stores), .write_address(beat ? frame_address : out_tag[ADDRESS_BITS-1:0]),
        .write_data(beat ? BITS'(signed'(s_axis_tdata)) : out), .read_address(address), .read_data(activation)
    );
    ms_rom #(
        .DEPTH(WEIGHT_ROWS), .WIDTH(LANES * WEIGHT_BITS), .BANK(WEIGHT_BANK), .ADDRESS_BITS(WEIGHT_ROW_BITS),
        .FILE("weights")
    ) weight_rows (.clk, .address(weight_address), .data(weights));

    logic signed [BITS-1:0] x;
    logic [LANES*WEIGHT_BITS-1:0] w;
    logic [3:0] valid_then, last_then, done_then;  // one to four clocks ago
    logic [1:0] first_then;
    always_ff @(posedge clk) begin
        x <= activation;
        w <= weights;
        first_then <= {first_then[0], first};
        last_then <= {last_then[2:0], last};
        done_then <= {done_then[2:0], done};
    end
    always_ff @(posedge clk)
        if (!rst_n) valid_then <= '0;
        else valid_then <= {valid_then[2:0], step};
    wire load = valid_then[3] && last_then[3];

    // Sums.
    wire take, group_end, final_one;
    wire signed [SUM_BITS-1:0] of_lanes, of_elements;
    logic signed [SUM_BITS-1:0] element;
    ms_macs #(.LANES(LANES), .OPERAND_BITS(OPERAND_BITS), .WEIGHT_BITS(WEIGHT_BITS), .SUM_BITS(SUM_BITS)) macs (
        .clk, .x(signed'(x[OPERAND_BITS-1:0])), .weights(w), .valid(valid_then[1]), .first(first_then[1]), .load,
        .move(take), .out(of_lanes)
    );
    ms_elements #(
        .BITS(BITS), .SUM_BITS(SUM_BITS), .PLACE_BITS(COUNT_BITS), .KINDS(KINDS), .HELD(HELD)
    ) elements (.clk, .kind, .x, .valid(valid_then[1]), .first(first_then[1]), .result(of_elements));
    always_ff @(posedge clk) if (load) element <= of_elements;

    // Their integers.
    wire [ADDRESS_BITS-1:0] store_address;
    wire [ROW_BITS-1:0] row_now;
    wire [TABLE_BITS-1:0] table_now;
    ms_drain #(
        .LANES(LANES), .ADDRESS_BITS(ADDRESS_BITS), .CHANNEL_BITS(CHANNEL_BITS), .ROW_BITS(ROW_BITS),
        .TABLE_BITS(TABLE_BITS)
    ) drain (
        .clk, .rst_n, .start, .load, .load_final(done_then[3]), .single, .in_file, .stored(stores || sent), .write,
        .write_jump, .channels, .row, .row_step, .table_row, .table_step, .take, .group_end, .final_one,
        .address(store_address), .row_now, .table_now
    );
    ms_requantise #(
        .SUM_BITS(SUM_BITS), .MULTIPLIER_BITS(MULTIPLIER_BITS), .OFFSET_BITS(OFFSET_BITS), .VALUE_BITS(VALUE_BITS),
        .ROWS(ROWS), .ROW_BITS(ROW_BITS), .ROW_BANK(ROW_BANK), .THRESHOLDS(THRESHOLDS),
        .THRESHOLD_BITS(THRESHOLD_BITS), .TABLE_BITS(TABLE_BITS), .TABLE_BANK(TABLE_BANK), .HALVINGS(HALVINGS),
        .SHIFTS(SHIFTS), .SHIFT(SHIFT), .LEVEL_BITS(LEVEL_BITS), .VALUES(VALUES), .VALUES_BANK(VALUES_BANK), .EVEN(EVEN),
        .BITS(BITS), .TAG_BITS(TAG_BITS)
    ) requantise (
        .clk, .rst_n, .valid(take), .sum(kind == MACS ? of_lanes : element), .row(row_now), .table_row(table_now),
        .tag({final_one, group_end, store_address}), .shift, .even, .looks_up, .halvings, .low, .high,
        .out_valid, .out, .out_tag
    );

    // The output stream.
    wire sent;
    ms_stream_out #(.BITS(BITS), .WIDTH(OUT_WIDTH)) stream_out (
        .clk, .rst_n, .valid(out_valid && to_stream), .value(out), .last(ends_frame && out_tag[ADDRESS_BITS+1]),
        .taken(sent), .m_axis_tdata, .m_axis_tvalid, .m_axis_tready, .m_axis_tlast
    );
    assign stored = (stores || sent) && out_tag[ADDRESS_BITS];
endmodule
