// Stands in for Vitis HLS's hls_vector.h: an array with operators by element.
#ifndef HLS_VECTOR_H
#define HLS_VECTOR_H
#include <array>
#include <cstddef>
namespace hls {
template <typename T, std::size_t N> struct vector : std::array<T, N> {
    static constexpr std::size_t size() { return N; }
};
}  // namespace hls
#endif
