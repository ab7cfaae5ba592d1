// The activations: one port writes, one port reads, one clock after the address.
module ms_ram #(
    parameter int DEPTH = 16,
    parameter int WIDTH = 8,
    parameter int BITS = 4
) (
    input  logic             clk,
    input  logic             write,
    input  logic [BITS-1:0]  write_address,
    input  logic [WIDTH-1:0] write_data,
    input  logic [BITS-1:0]  read_address,
    output logic [WIDTH-1:0] read_data
);
    (* ram_style = "block" *) logic [WIDTH-1:0] words[0:DEPTH-1];
    always_ff @(posedge clk) begin
        if (write) words[write_address] <= write_data;
        read_data <= words[read_address];
    end
endmodule
