// Stands in for Vitis HLS's ap_axi_sdata.h: one beat of an AXI stream, as finn-hlslib's streamtools name it.
#ifndef AP_AXI_SDATA_H
#define AP_AXI_SDATA_H
#include <ap_int.h>
template <int DATA, int USER, int ID, int DEST> struct qdma_axis {
    ap_uint<DATA> data;
    ap_uint<(DATA + 7) / 8> keep;
    ap_uint<1> last;
    ap_uint<DATA> get_data() const { return data; }
    void set_data(ap_uint<DATA> const &of) { data = of; }
    void set_keep(ap_uint<(DATA + 7) / 8> const &of) { keep = of; }
    void set_last(ap_uint<1> const &of) { last = of; }
};
#endif
