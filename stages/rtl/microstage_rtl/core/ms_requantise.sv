// What is stored of a sum: clip((sum * multiplier + offset) >> shift, low, high), or low plus the number of thresholds
// that sum * multiplier + offset reaches. Lines flow, one a clock; a search is alone in here.
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
    parameter int HALVINGS = 4,  // at most
    parameter int SHIFTS = 1,
    parameter logic [SHIFTS*8-1:0] SHIFT = '0,  // a byte for each shift that there is
    parameter int BITS = 8,      // of what is stored
    parameter int TAG_BITS = 8   // of what goes along: where it is stored
) (
    input  logic                       clk,
    input  logic                       rst_n,
    input  logic                       valid,
    input  logic signed [SUM_BITS-1:0] sum,
    input  logic [ROW_BITS-1:0]        row,
    input  logic [TABLE_BITS-1:0]      table_row,
    input  logic [TAG_BITS-1:0]        tag,
    input  logic [3:0]                 shift,
    input  logic [3:0]                 halvings,
    input  logic signed [BITS-1:0]     low,
    input  logic signed [BITS-1:0]     high,
    output logic                       out_valid,
    output logic signed [BITS-1:0]     out,
    output logic [TAG_BITS-1:0]        out_tag
);
    localparam int STAGES = 6;  // behind the first
    localparam int FULL_BITS = SUM_BITS + MULTIPLIER_BITS;

    // What goes along.
    logic [STAGES-1:0] there;
    logic [STAGES*TAG_BITS-1:0] tags;
    always_ff @(posedge clk)
        if (!rst_n) there <= '0;
        else there <= {there[STAGES-2:0], valid};
    always_ff @(posedge clk) tags <= {tags[(STAGES-1)*TAG_BITS-1:0], tag};

    // Its line: multiplier and offset of the row, two clocks behind the row's address.
    wire [MULTIPLIER_BITS+OFFSET_BITS-1:0] constants;
    ms_rom #(
        .DEPTH(ROWS), .WIDTH(MULTIPLIER_BITS + OFFSET_BITS), .BANK(ROW_BANK), .ADDRESS_BITS(ROW_BITS), .FILE("rows")
    ) rows (.clk, .address(row), .data(constants));
    logic signed [SUM_BITS-1:0] sum_1, sum_2;
    logic signed [MULTIPLIER_BITS-1:0] multiplier;
    logic signed [OFFSET_BITS-1:0] offset, offset_3, offset_4;
    // verilator lint_off UNUSEDSIGNAL
    logic signed [FULL_BITS-1:0] product, product_4;  // of values that are proven to fit
    // verilator lint_on UNUSEDSIGNAL
    logic signed [VALUE_BITS-1:0] value;
    always_ff @(posedge clk) begin
        sum_1 <= sum;
        sum_2 <= sum_1;
        {multiplier, offset} <= constants;
        product <= sum_2 * multiplier;
        offset_3 <= offset;
        product_4 <= product;
        offset_4 <= offset_3;
        value <= VALUE_BITS'(product_4) + VALUE_BITS'(offset_4);
    end

    // Shifts are those that the program has.
    wire [16*VALUE_BITS-1:0] shifts;
    for (genvar i = 0; i < 16; i++) begin : shifted_by
        localparam int PLACES = int'(SHIFT[8*(i < SHIFTS ? i : 0) +: 8]);
        assign shifts[i*VALUE_BITS +: VALUE_BITS] = value >>> PLACES;
    end
    logic signed [VALUE_BITS-1:0] shifted;
    always_ff @(posedge clk) shifted <= signed'(shifts[shift*VALUE_BITS +: VALUE_BITS]);
    wire signed [VALUE_BITS-1:0] lowest = VALUE_BITS'(low), highest = VALUE_BITS'(high);
    wire signed [BITS-1:0] held = shifted < lowest ? low : shifted > highest ? high : signed'(shifted[BITS-1:0]);

    // Thresholds: of the row that came with the sum.
    logic [TABLE_BITS-1:0] table_held;
    always_ff @(posedge clk) if (valid) table_held <= table_row;
    wire found;
    wire [HALVINGS-1:0] count;
    ms_search #(
        .DEPTH(THRESHOLDS), .BITS(THRESHOLD_BITS), .TABLE_BITS(TABLE_BITS), .BANK(TABLE_BANK), .HALVINGS(HALVINGS),
        .VALUE_BITS(VALUE_BITS)
    ) search (
        .clk, .rst_n, .start(there[4] && halvings != 0), .value, .table_row(table_held), .halvings, .found, .count
    );

    wire flows = there[5] && halvings == 0;
    always_ff @(posedge clk)
        if (!rst_n) out_valid <= 1'b0;
        else out_valid <= flows || found;
    always_ff @(posedge clk) begin
        out <= flows ? held : low + BITS'(signed'({1'b0, count}));
        if (there[STAGES-1]) out_tag <= tags[(STAGES-1)*TAG_BITS +: TAG_BITS];
    end
endmodule
