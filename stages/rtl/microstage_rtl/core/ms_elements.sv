// One result at a time, of full-width activations: sum, difference, product, largest, smallest, place of the largest,
// rescaled. KINDS has a bit for each kind that the program uses; what it does not use costs nothing.
module ms_elements #(
    parameter int BITS = 8,
    parameter int SUM_BITS = 20,
    parameter int PLACE_BITS = 8,
    parameter logic [7:0] KINDS = 8'hff,
    parameter int HELD = 127  // largest size of what is rescaled
) (
    input  logic                       clk,
    input  logic [3:0]                 kind,
    input  logic signed [BITS-1:0]     x,
    input  logic                       valid,
    input  logic                       first,
    output logic signed [SUM_BITS-1:0] result  // two clocks behind the last integer
);
    localparam logic [3:0] DIFFERENCE = 4'd2, PRODUCT = 4'd3, LARGEST = 4'd4, SMALLEST = 4'd5, PLACE = 4'd6,
        RESCALE = 4'd7;

    logic signed [SUM_BITS-1:0] value;
    wire signed [SUM_BITS-1:0] wide = SUM_BITS'(x);
    wire signed [SUM_BITS-1:0] plus = value + wide;

    wire signed [SUM_BITS-1:0] minus, larger;
    wire greater = wide > value;
    assign minus = KINDS[2] ? value - wide : '0;
    wire take_x = KINDS[5] && kind == SMALLEST ? !greater : greater;
    assign larger = KINDS[4] || KINDS[5] || KINDS[6] ? (take_x ? wide : value) : '0;

    always_ff @(posedge clk)
        if (valid) begin
            if (first) value <= wide;
            else case (kind)
                DIFFERENCE: value <= minus;
                LARGEST, SMALLEST, PLACE: value <= larger;
                PRODUCT, RESCALE: value <= value;
                default: value <= plus;
            endcase
        end

    wire signed [SUM_BITS-1:0] times, place, rescaled;  // what has a register of its own
    if (KINDS[3]) begin : multiplies
        // verilator lint_off UNUSEDSIGNAL
        logic signed [2*BITS-1:0] full;  // of products that are proven to fit
        // verilator lint_on UNUSEDSIGNAL
        always_ff @(posedge clk) full <= signed'(value[BITS-1:0]) * x;
        assign times = SUM_BITS'(full);
    end else begin : never_multiplies
        assign times = '0;
    end
    if (KINDS[6]) begin : places
        logic [PLACE_BITS-1:0] here, best;
        always_ff @(posedge clk)
            if (valid) begin
                here <= first ? PLACE_BITS'(1) : here + 1'b1;
                if (first) best <= '0;
                else if (greater) best <= here;
            end
        assign place = SUM_BITS'(signed'({1'b0, best}));
    end else begin : no_places
        assign place = '0;
    end
    if (KINDS[7]) begin : rescales
        ms_rescale #(.BITS(BITS), .SUM_BITS(SUM_BITS), .HELD(HELD)) shifter (
            .clk, .value(signed'(value[BITS-1:0])), .places(x), .rescaled
        );
    end else begin : never_rescales
        assign rescaled = '0;
    end

    always_ff @(posedge clk)
        if (KINDS[3] && kind == PRODUCT) result <= times;
        else if (KINDS[6] && kind == PLACE) result <= place;
        else if (KINDS[7] && kind == RESCALE) result <= rescaled;
        else result <= value;
endmodule
