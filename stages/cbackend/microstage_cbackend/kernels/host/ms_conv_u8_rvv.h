/* ms_conv_u8 for RISC-V vectors of any length (RVV 1.0): patches of four positions in 16 bits, each times two rows of weights.
 *
 * Weights lie in rows. Sums stay in two vectors of 32 bits, each eight registers long, until a row ends.
 */
#ifndef MS_CONV_U8_RVV_H
#define MS_CONV_U8_RVV_H

MS_INLINE void ms_gather_rvv(const uint8_t *x, int16_t *patch, const ms_conv_u8_shape *shape)
{
    for (int32_t i = 0; i < shape->runs_h; i++) {
        for (int32_t j = 0; j < shape->runs_w; j++) {
            const uint8_t *run = x + i * shape->run_h + j * shape->run_w;
            size_t vl;
            for (int32_t left = shape->length; left > 0; left -= (int32_t)vl, run += vl, patch += vl) {
                vl = __riscv_vsetvl_e16m8((size_t)left);
                const vuint16m8_t wide = __riscv_vzext_vf2_u16m8(__riscv_vle8_v_u8m4(run, vl), vl);
                __riscv_vse16_v_i16m8(patch, __riscv_vreinterpret_v_u16m8_i16m8(wide), vl);
            }
        }
    }
}

/* The sum of a vector, in a register of its own: compilers would store it as a vector of one, which takes two more settings. */
MS_INLINE int32_t ms_sum_rvv(vint32m8_t sums)
{
    const size_t all = __riscv_vsetvlmax_e32m8();
    int32_t sum = __riscv_vmv_x_s_i32m1_i32(__riscv_vredsum_vs_i32m8_i32m1(sums, __riscv_vmv_v_x_i32m1(0, 1), all));
    __asm__("" : "+r"(sum));
    return sum;
}

/* Adds the products of `vl` inputs and weights of two rows, and goes on. All instructions leave what is behind a vector as it is (_tu):
 * sums need it, and others would change the setting each time.
 */
#define MS_PRODUCTS_RVV(vl)                                                                       \
    x = __riscv_vle16_v_i16m4_tu(x, patch, vl);                                                   \
    w = __riscv_vsext_vf2_i16m4_tu(w, bytes = __riscv_vle8_v_i8m2_tu(bytes, r0, vl), vl);         \
    s0 = __riscv_vwmacc_vv_i32m8_tu(s0, x, w, vl);                                                \
    w = __riscv_vsext_vf2_i16m4_tu(w, bytes = __riscv_vle8_v_i8m2_tu(bytes, r1, vl), vl);         \
    s1 = __riscv_vwmacc_vv_i32m8_tu(s1, x, w, vl);                                                \
    used -= vl, patch += vl, r0 += vl, r1 += vl

/* Sums of one patch and two rows of `used` weights: whole vectors, whose length is set once, then the rest. */
MS_INLINE void ms_dot_rows_rvv(const int16_t *patch, const int8_t *r0, const int8_t *r1, size_t used, int32_t *first, int32_t *second)
{
    const size_t most = __riscv_vsetvlmax_e16m4();
    vint32m8_t s0 = __riscv_vmv_v_x_i32m8(0, most), s1 = s0;
    vint16m4_t x = __riscv_vundefined_i16m4(), w = x;
    vint8m2_t bytes = __riscv_vundefined_i8m2();
    while (used >= most) {
        MS_PRODUCTS_RVV(most);
    }
    if (used) {
        const size_t left = __riscv_vsetvl_e16m4(used);
        MS_PRODUCTS_RVV(left);
    }
    *first = ms_sum_rvv(s0);
    *second = ms_sum_rvv(s1);
}

/* sums[r][f] of `rows` patches and `count` filters from `first` on. */
MS_INLINE void ms_dot_patches_rvv(const int16_t *patches, int32_t rows, const int8_t *w, int8_t *unpacked, int32_t (*sums)[MS_FILTERS],
                                  int32_t first, int32_t count, const ms_conv_u8_shape *shape)
{
    const int32_t depth = shape->depth, used = shape->runs_h * shape->runs_w * shape->length;
    for (int32_t f = 0; f < count; f += 2) {
        const int8_t *r0 = ms_row_of(w, first + f, unpacked, shape), *r1 = r0;
        int32_t spare;
        if (f + 1 < count) {
            r1 = ms_row_of(w, first + f + 1, unpacked + depth, shape);
        }
        for (int32_t r = 0; r < rows; r++) {
            ms_dot_rows_rvv(patches + r * depth, r0, r1, (size_t)used, &sums[r][f], f + 1 < count ? &sums[r][f + 1] : &spare);
        }
    }
}

MS_INLINE void ms_conv_u8_rvv(const uint8_t *x, const int8_t *w, void *y, void *scratch, const ms_conv_u8_shape *shape, const ms_requant *q)
{
    const int32_t positions = shape->out_height * shape->out_width, most = positions < MS_PATCHES ? positions : MS_PATCHES;
    int16_t *patches = scratch;
    int8_t *unpacked = (int8_t *)(patches + most * shape->depth);
    int32_t sums[MS_PATCHES][MS_FILTERS], to[MS_PATCHES];

    for (int32_t p = 0; p < positions; p += MS_PATCHES) {
        const int32_t rows = positions - p < MS_PATCHES ? positions - p : MS_PATCHES;
        for (int32_t r = 0; r < rows; r++) {
            const int32_t h = (p + r) / shape->out_width, v = (p + r) % shape->out_width;
            ms_gather_rvv(x + h * shape->x_row + v * shape->x_column, patches + r * shape->depth, shape);
            to[r] = h * shape->y_row + v * shape->y_column;
        }
        for (int32_t f = 0; f < shape->filters; f += MS_FILTERS) {
            const int32_t count = shape->filters - f < MS_FILTERS ? shape->filters - f : MS_FILTERS;
            ms_dot_patches_rvv(patches, rows, w, unpacked, sums, f, count, shape);
            for (int32_t r = 0; r < rows; r++) {
                ms_write_row(sums[r], y, to[r] + f, f, count, q);
            }
        }
    }
}

#endif
