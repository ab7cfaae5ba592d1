// Ends of a layer's streams: beats from a file go in as fast as they are taken, and come out into a file.

module source #(parameter int WIDTH = 8, parameter int COUNT = 1, parameter FILE = "in.hex") (
    input clk, input rst_n, input chosen,
    output [WIDTH-1:0] data, output valid, input ready
);
    logic [WIDTH-1:0] beats[COUNT];
    int at;
    bit read;

    assign valid = read && at < COUNT;
    assign data = beats[at < COUNT ? at : 0];

    always @(posedge clk)
        if (!rst_n) begin
            at <= 0;
            if (chosen && !read) begin
                $readmemh(FILE, beats);
                read <= 1;
            end
        end else if (valid && ready) at <= at + 1;
endmodule

module sink #(parameter int WIDTH = 8, parameter int COUNT = 1, parameter FILE = "out.hex") (
    input clk, input rst_n, input chosen,
    input [WIDTH-1:0] data, input valid, output ready, output done
);
    int count, file;

    assign ready = chosen;
    assign done = chosen && count == COUNT;

    always @(posedge clk)
        if (!rst_n) begin
            count <= 0;
            if (chosen && file == 0) file = $fopen(FILE, "w");
        end else if (valid && ready && !done) begin
            $fdisplay(file, "%h", data);
            if (count == COUNT - 1) $fclose(file);
            count <= count + 1;
        end
endmodule
