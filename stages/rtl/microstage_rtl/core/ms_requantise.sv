// What is stored of a sum: the level clip((sum * multiplier + offset) >> shift, low, high), or the value that a table
// has at that level, or low plus the number of thresholds that sum * multiplier + offset reaches. Levels and values
// flow, one a clock; a search is alone in here.
module ms_requantise #(
    parameter int SUM_BITS = 20,
    parameter int MULTIPLIER_BITS = 18,
    parameter int OFFSET_BITS = 20,
    parameter int VALUE_BITS = 30,
    parameter int ROWS = 16,
    parameter int ROW_BITS = 4,
    parameter int ROW_BANK = 16,
    parameter int THRESHOLDS = 16,
    parameter int THRESHOLD_BITS = 20,
    parameter int TABLE_BITS = 4,
    parameter int TABLE_BANK = 16,
    parameter int HALVINGS = 4,  // at most; 0 where nothing is searched
    parameter int SHIFTS = 1,
    parameter logic [SHIFTS*8-1:0] SHIFT = '0,  // a byte for each shift that there is
    parameter int LEVEL_BITS = 8,
    parameter int VALUES = 0,
    parameter int VALUES_BANK = 16,
    parameter int EVEN = 0,
    parameter int BITS = 8,      // of what is stored
    parameter int TAG_BITS = 8   // of what goes along: where it is stored
) (
    input  logic                       clk,
    input  logic                       rst_n,
    input  logic                       valid,
    input  logic signed [SUM_BITS-1:0] sum,
    input  logic [ROW_BITS-1:0]        row,
    // verilator lint_off UNUSEDSIGNAL
    input  logic [TABLE_BITS-1:0]      table_row,  // and what else a network without tables has no use for
    input  logic                       even,
    input  logic                       looks_up,
    input  logic [3:0]                 halvings,
    // verilator lint_on UNUSEDSIGNAL
    input  logic [TAG_BITS-1:0]        tag,
    input  logic [3:0]                 shift,
    input  logic signed [LEVEL_BITS-1:0] low,
    input  logic signed [LEVEL_BITS-1:0] high,
    output logic                       out_valid,
    output logic signed [BITS-1:0]     out,
    output logic [TAG_BITS-1:0]        out_tag
);
    localparam int STAGES = 8;  // clocks from a sum to its integer, less one

    // What goes along.
    logic [STAGES-1:0] there;
    logic [STAGES*TAG_BITS-1:0] tags;
    always_ff @(posedge clk)
        if (!rst_n) there <= '0;
        else there <= {there[STAGES-2:0], valid};
    always_ff @(posedge clk) tags <= {tags[(STAGES-1)*TAG_BITS-1:0], tag};

    // Multiplier and offset of the row, two clocks behind the row's address.
    wire [MULTIPLIER_BITS+OFFSET_BITS-1:0] constants;
    ms_rom #(
        .DEPTH(ROWS), .WIDTH(MULTIPLIER_BITS + OFFSET_BITS), .BANK(ROW_BANK), .ADDRESS_BITS(ROW_BITS), .FILE("rows")
    ) rows (.clk, .address(row), .data(constants));
    logic signed [SUM_BITS-1:0] sum_1, sum_2;
    logic signed [MULTIPLIER_BITS-1:0] multiplier;
    logic signed [OFFSET_BITS-1:0] offset, offset_3, offset_4;
    wire signed [VALUE_BITS-1:0] product_4;
    logic signed [VALUE_BITS-1:0] value;
    always_ff @(posedge clk) begin
        sum_1 <= sum;
        sum_2 <= sum_1;
        {multiplier, offset} <= constants;
        offset_3 <= offset;
        offset_4 <= offset_3;
        value <= product_4 + VALUE_BITS'(offset_4);
    end
    ms_multiply #(.A_BITS(SUM_BITS), .B_BITS(MULTIPLIER_BITS), .BITS(VALUE_BITS)) multiply (
        .clk, .a(sum_2), .b(multiplier), .product(product_4)
    );

    // Its level. Shifts are those that the program has.
    wire [16*VALUE_BITS-1:0] shifts;
    wire [15:0] nothing_left;  // of what is cut off
    for (genvar i = 0; i < 16; i++) begin : shifted_by
        localparam int PLACES = int'(SHIFT[8*(i < SHIFTS ? i : 0) +: 8]);
        assign shifts[i*VALUE_BITS +: VALUE_BITS] = value >>> PLACES;
        assign nothing_left[i] = (value & ((VALUE_BITS'(1) << PLACES) - 1'b1)) == 0;
    end
    logic signed [VALUE_BITS-1:0] shifted;
    wire signed [VALUE_BITS-1:0] rounded;
    always_ff @(posedge clk) shifted <= signed'(shifts[shift*VALUE_BITS +: VALUE_BITS]);
    if (EVEN != 0) begin : halves_to_even
        logic half;
        always_ff @(posedge clk) half <= even && nothing_left[shift];
        assign rounded = half && shifted[0] ? shifted - 1'b1 : shifted;
    end else begin : halves_up
        // verilator lint_off UNUSEDSIGNAL
        wire unused = &nothing_left;
        // verilator lint_on UNUSEDSIGNAL
        assign rounded = shifted;
    end
    wire signed [VALUE_BITS-1:0] lowest = VALUE_BITS'(low), highest = VALUE_BITS'(high);
    // verilator lint_off UNUSEDSIGNAL
    logic signed [LEVEL_BITS-1:0] level, level_8;  // wider than what is stored where a table comes behind
    // verilator lint_on UNUSEDSIGNAL
    always_ff @(posedge clk) begin
        level <= rounded < lowest ? low : rounded > highest ? high : LEVEL_BITS'(rounded);
        level_8 <= level;
    end

    // The table's value, or the level as it is.
    wire signed [BITS-1:0] stored;
    if (VALUES != 0) begin : tables
        wire [BITS-1:0] looked_up;
        wire [TABLE_BITS-1:0] place = TABLE_BITS'(level) + table_row;
        ms_rom #(.DEPTH(VALUES), .WIDTH(BITS), .BANK(VALUES_BANK), .ADDRESS_BITS(TABLE_BITS), .FILE("values")) values (
            .clk, .address(place), .data(looked_up)
        );
        assign stored = looks_up ? signed'(looked_up) : BITS'(level_8);
    end else begin : no_tables
        assign stored = BITS'(level_8);
    end

    // Thresholds: of the row that came with the sum.
    wire found, searches;
    wire signed [BITS-1:0] counted;
    if (HALVINGS != 0) begin : search
        logic [TABLE_BITS-1:0] table_held;
        wire [HALVINGS-1:0] count;
        always_ff @(posedge clk) if (valid) table_held <= table_row;
        assign searches = halvings != 0;
        ms_search #(
            .DEPTH(THRESHOLDS), .BITS(THRESHOLD_BITS), .TABLE_BITS(TABLE_BITS), .BANK(TABLE_BANK), .HALVINGS(HALVINGS),
            .VALUE_BITS(VALUE_BITS)
        ) halving (
            .clk, .rst_n, .start(there[4] && searches), .value, .table_row(table_held), .halvings, .found, .count
        );
        assign counted = BITS'(low) + BITS'(signed'({1'b0, count}));
    end else begin : no_search
        assign searches = 1'b0;
        assign found = 1'b0;
        assign counted = '0;
    end

    always_ff @(posedge clk)
        if (!rst_n) out_valid <= 1'b0;
        else out_valid <= (there[STAGES-1] && !searches) || found;
    always_ff @(posedge clk) begin
        out <= searches ? counted : stored;
        if (there[STAGES-1]) out_tag <= tags[(STAGES-1)*TAG_BITS +: TAG_BITS];
    end
endmodule
