/* Requantisation for RISC-V vectors of any length (RVV 1.0): as many filters at once as fit. */
#ifndef MS_RVV_H
#define MS_RVV_H

/* One row of sums of filters first...first + count - 1, of a stage that rounds down or half up and has no kink. */
MS_INLINE void ms_requantise_row_rvv(const int32_t *sums, uint8_t *y, int32_t first, int32_t count, const ms_requant *q)
{
    const int32_t *multiplier = q->multiplier + first;
    const int64_t *offset = q->offset + first;
    for (size_t vl; count > 0; count -= (int32_t)vl, sums += vl, y += vl, multiplier += vl, offset += vl) {
        vl = __riscv_vsetvl_e32m4((size_t)count);
        const vint64m8_t scaled = __riscv_vwmul_vv_i64m8(__riscv_vle32_v_i32m4(sums, vl), __riscv_vle32_v_i32m4(multiplier, vl), vl);
        const vint64m8_t value = __riscv_vadd_vv_i64m8(scaled, __riscv_vle64_v_i64m8(offset, vl), vl);
        const vint32m4_t level = __riscv_vnsra_wx_i32m4(value, (size_t)q->shift, vl);
        const vint32m4_t held = __riscv_vmin_vx_i32m4(__riscv_vmax_vx_i32m4(level, q->low, vl), q->high, vl);
        const vuint32m4_t stored = __riscv_vreinterpret_v_i32m4_u32m4(__riscv_vxor_vx_i32m4(held, q->flip, vl));
        __riscv_vse8_v_u8m1(y, __riscv_vncvt_x_x_w_u8m1(__riscv_vncvt_x_x_w_u16m2(stored, vl), vl), vl);
    }
}

#endif
