/* Candidate positions of many literals: the "Teddy" nibble filter of Hyperscan (Wang et al., NSDI 2019, section 4.3).
 *
 * Eight buckets of literals share one byte of mask.  For window byte k, low[k][n] and high[k][n] hold the buckets that
 * accept a byte with that low or high nibble.  A position is a candidate where all the masks of its WINDOW bytes have a
 * bucket in common.  Letters are entered in both cases, so the text itself is never folded.
 *
 * The variant is chosen at run time: AVX2, else SSSE3 (the byte shuffle is the first instruction that needs more than
 * the x86-64 baseline), else plain C.  All three give the same candidates for the same input.
 */
#ifndef SILTSTONE_TEDDY_H
#define SILTSTONE_TEDDY_H

#include <stddef.h>
#include <stdint.h>

#define TEDDY_WINDOW 4     /* bytes looked at; a shorter literal accepts anything in the rest */
#define TEDDY_OVERREAD 35  /* bytes after a position that a vector step may read: 32 positions and WINDOW - 1 */

enum { TEDDY_SCALAR = 0, TEDDY_SSSE3 = 1, TEDDY_AVX2 = 2 };

typedef struct {
    uint8_t low[TEDDY_WINDOW][16];
    uint8_t high[TEDDY_WINDOW][16];
    uint8_t accept[TEDDY_WINDOW][256]; /* low & high for each byte, for the plain variant */
} teddy_masks;

#if defined(__x86_64__) && defined(__GNUC__)
#define TEDDY_X86 1
#include <immintrin.h>

__attribute__((target("avx2"))) static size_t teddy_avx2(const teddy_masks *masks, const uint8_t *text, size_t from,
                                                         size_t to, uint32_t *found) {
    __m256i low[TEDDY_WINDOW], high[TEDDY_WINDOW];
    const __m256i nibble = _mm256_set1_epi8(0x0F), zero = _mm256_setzero_si256();
    size_t count = 0;
    for (int k = 0; k < TEDDY_WINDOW; k++) {
        low[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)masks->low[k]));
        high[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)masks->high[k]));
    }
    for (size_t at = from; at < to; at += 32) {
        __m256i common = _mm256_set1_epi8(-1);
        for (int k = 0; k < TEDDY_WINDOW; k++) {
            const __m256i bytes = _mm256_loadu_si256((const __m256i *)(text + at + k));
            const __m256i under = _mm256_shuffle_epi8(low[k], _mm256_and_si256(bytes, nibble));
            const __m256i over = _mm256_shuffle_epi8(high[k], _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
            common = _mm256_and_si256(common, _mm256_and_si256(under, over));
        }
        uint32_t bits = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(common, zero));
        while (bits) {
            const size_t position = at + (size_t)__builtin_ctz(bits);
            if (position >= to) return count;
            found[count++] = (uint32_t)(position - from);
            bits &= bits - 1;
        }
    }
    return count;
}

__attribute__((target("ssse3"))) static size_t teddy_ssse3(const teddy_masks *masks, const uint8_t *text, size_t from,
                                                           size_t to, uint32_t *found) {
    __m128i low[TEDDY_WINDOW], high[TEDDY_WINDOW];
    const __m128i nibble = _mm_set1_epi8(0x0F), zero = _mm_setzero_si128();
    size_t count = 0;
    for (int k = 0; k < TEDDY_WINDOW; k++) {
        low[k] = _mm_loadu_si128((const __m128i *)masks->low[k]);
        high[k] = _mm_loadu_si128((const __m128i *)masks->high[k]);
    }
    for (size_t at = from; at < to; at += 16) {
        __m128i common = _mm_set1_epi8(-1);
        for (int k = 0; k < TEDDY_WINDOW; k++) {
            const __m128i bytes = _mm_loadu_si128((const __m128i *)(text + at + k));
            const __m128i under = _mm_shuffle_epi8(low[k], _mm_and_si128(bytes, nibble));
            const __m128i over = _mm_shuffle_epi8(high[k], _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble));
            common = _mm_and_si128(common, _mm_and_si128(under, over));
        }
        uint32_t bits = 0xFFFFu & ~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(common, zero));
        while (bits) {
            const size_t position = at + (size_t)__builtin_ctz(bits);
            if (position >= to) return count;
            found[count++] = (uint32_t)(position - from);
            bits &= bits - 1;
        }
    }
    return count;
}
#endif

/* Plain C: needs no byte after text[size - 1]; a window that ends outside accepts anything there. */
static size_t teddy_scalar(const teddy_masks *masks, const uint8_t *text, size_t size, size_t from, size_t to,
                           uint32_t *found) {
    size_t count = 0;
    for (size_t at = from; at < to; at++) {
        uint8_t common = masks->accept[0][text[at]];
        for (int k = 1; common && k < TEDDY_WINDOW && at + (size_t)k < size; k++) common &= masks->accept[k][text[at + k]];
        if (common) found[count++] = (uint32_t)(at - from);
    }
    return count;
}

static int teddy_best_variant(void) {
#ifdef TEDDY_X86
    if (__builtin_cpu_supports("avx2")) return TEDDY_AVX2;
    if (__builtin_cpu_supports("ssse3")) return TEDDY_SSSE3;
#endif
    return TEDDY_SCALAR;
}

/* Write the candidates of text[from:to), as distances from `from`, into found (room for to - from); return their count.
 * size bounds every read.  Requires from <= to <= size. */
static size_t teddy_candidates(const teddy_masks *masks, int variant, const uint8_t *text, size_t size, size_t from,
                               size_t to, uint32_t *found) {
#ifdef TEDDY_X86
    if (variant != TEDDY_SCALAR && to + TEDDY_OVERREAD <= size) {
        return variant == TEDDY_AVX2 ? teddy_avx2(masks, text, from, to, found)
                                     : teddy_ssse3(masks, text, from, to, found);
    }
#endif
    (void)variant;
    return teddy_scalar(masks, text, size, from, to, found);
}

#endif
