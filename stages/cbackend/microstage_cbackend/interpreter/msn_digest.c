/* SHA-256 (FIPS 180-4) of the file, against its last 32 bytes. */
#include "msn.h"
#include "msn_work.h"

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turned(uint32_t v, int by)
{
    return v >> by | v << (32 - by);
}

static void add_block(uint32_t *state, const unsigned char *block)
{
    uint32_t w[64], s[8];

    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (int i = 16; i < 64; i++) {
        const uint32_t a = turned(w[i - 15], 7) ^ turned(w[i - 15], 18) ^ w[i - 15] >> 3;
        const uint32_t b = turned(w[i - 2], 17) ^ turned(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        const uint32_t a = turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25), b = turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22);
        const uint32_t one = s[7] + a + ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + w[i];
        const uint32_t two = b + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++) {
        state[i] += s[i];
    }
}

/* The digest of `bytes` bytes. */
static void digest_of(uint32_t *state, const unsigned char *data, uint64_t bytes)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    unsigned char last[128] = {0};
    const uint64_t whole = bytes / 64 * 64, left = bytes - whole, end = left < 56 ? 64 : 128;

    memcpy(state, start, sizeof start);
    for (uint64_t i = 0; i < whole; i += 64) {
        add_block(state, data + i);
    }
    memcpy(last, data + whole, (size_t)left);
    last[left] = 0x80;
    for (int i = 0; i < 8; i++) {
        last[end - 1 - (uint64_t)i] = (unsigned char)(bytes * 8 >> 8 * i);
    }
    for (uint64_t i = 0; i < end; i += 64) {
        add_block(state, last + i);
    }
}

msn_status msn_check_digest(const void *file, size_t bytes)
{
    const msn_header *header = file;
    const unsigned char *data = file;
    uint32_t state[8];
    uint64_t before;

    if (!file) {
        return MSN_NULL;
    }
    if (bytes < sizeof *header + 32 || header->file_bytes > bytes || header->file_bytes < sizeof *header + 32) {
        return MSN_TRUNCATED;
    }
    before = header->file_bytes - 32;
    digest_of(state, data, before);
    for (uint64_t i = 0; i < 32; i++) {
        if (data[before + i] != (unsigned char)(state[i / 4] >> 8 * (3 - i % 4))) {
            return MSN_DAMAGED;
        }
    }
    return MSN_OK;
}
