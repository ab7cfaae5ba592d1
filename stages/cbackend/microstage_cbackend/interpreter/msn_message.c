#include "msn.h"

const char *msn_message(msn_status status)
{
    switch (status) {
    case MSN_OK: return "All is well.";
    case MSN_NULL: return "A pointer is missing: file, network, arena, an input or an output.";
    case MSN_UNALIGNED: return "The file and the arena begin at a multiple of 8 bytes.";
    case MSN_NO_NETWORK: return "This is no network file: it does not begin with MSTAGENT.";
    case MSN_VERSION: return "The network file is of another major version; write it anew with the tools of this interpreter.";
    case MSN_TRUNCATED: return "The network file is truncated: it says that it has more bytes than there are.";
    case MSN_DAMAGED: return "The network file is damaged: a checksum is wrong.";
    case MSN_BROKEN: return "The network file contradicts itself: a record says what cannot be.";
    case MSN_UNKNOWN: return "The network file asks for a kernel, stage or call that this interpreter does not have.";
    case MSN_TOO_LARGE: return "The network file has sums or constants that the kernels' integers do not hold.";
    case MSN_ENDIAN: return "Network files are little-endian, and this machine is not.";
    case MSN_OUT_OF_RANGE: return "An input holds an integer outside of the range that the network takes.";
    case MSN_NO_PROGRAM: return "The network has no such program.";
    default: return "Unknown status.";
    }
}
