// Counts the thresholds of one row that a value reaches, by halving: two clocks each. A row has 2^halvings - 1
// thresholds that never fall and begins at a multiple of 2^halvings.
module ms_search #(
    parameter int DEPTH = 16,
    parameter int BITS = 20,
    parameter int TABLE_BITS = 4,
    parameter int BANK = 16,
    parameter int HALVINGS = 4,
    parameter int VALUE_BITS = 30
) (
    input  logic                         clk,
    input  logic                         rst_n,
    input  logic                         start,
    input  logic signed [VALUE_BITS-1:0] value,      // with start
    input  logic [TABLE_BITS-1:0]        table_row,  // stays
    input  logic [3:0]                   halvings,   // stays
    output logic                         found,
    output logic [HALVINGS-1:0]          count
);
    logic signed [VALUE_BITS-1:0] held;
    logic [HALVINGS-1:0] half;  // what the next threshold that is reached adds
    logic asked, compares;

    wire [HALVINGS-1:0] all = HALVINGS'(1) << (halvings - 1'b1);
    wire [TABLE_BITS-1:0] address = table_row | TABLE_BITS'(count) | (TABLE_BITS'(half) - 1'b1);
    wire [BITS-1:0] threshold;
    ms_rom #(.DEPTH(DEPTH), .WIDTH(BITS), .BANK(BANK), .ADDRESS_BITS(TABLE_BITS), .FILE("thresholds")) thresholds (
        .clk, .address, .data(threshold)
    );
    wire reached = held >= VALUE_BITS'(signed'(threshold));

    always_ff @(posedge clk)
        if (!rst_n) begin
            asked <= 1'b0;
            compares <= 1'b0;
            found <= 1'b0;
        end else begin
            asked <= start || (compares && half != 1);
            compares <= asked;
            found <= compares && half == 1;
        end
    always_ff @(posedge clk)
        if (start) begin
            held <= value;
            half <= all;
            count <= '0;
        end else if (compares) begin
            half <= half >> 1;
            if (reached) count <= count | half;
        end
endmodule
