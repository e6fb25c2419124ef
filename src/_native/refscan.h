/* Which of 32 bytes are digits of Nix's base 32: 0-9 and a-z without e, o, t, u.
 *
 * Two variants that give the same answers: SSE2, which every x86-64 has, so that nothing is chosen at run time, and plain C.
 * Both are compiled where SSE2 is, and a test holds them equal. */
#ifndef SILTSTONE_REFSCAN_H
#define SILTSTONE_REFSCAN_H

#include <stdint.h>

#define REFSCAN_WINDOW 32

/* What is not listed is 0. */
static const uint8_t refscan_digits[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
};

static inline int refscan_is_digit(uint8_t byte) { return refscan_digits[byte]; }

/* Index of the last byte of the window that is no digit, or -1. */
static inline int refscan_last_other_plain(const uint8_t *window) {
    int at = REFSCAN_WINDOW - 1;
    while (at >= 0 && refscan_is_digit(window[at])) at--;
    return at;
}

/* Index of the first byte of the window that is no digit, or 32. */
static inline int refscan_first_other_plain(const uint8_t *window) {
    int at = 0;
    while (at < REFSCAN_WINDOW && refscan_is_digit(window[at])) at++;
    return at;
}

#if defined(__SSE2__)
#include <emmintrin.h>
#define REFSCAN_SSE2 1

static inline uint32_t refscan_others_of_16(const uint8_t *text) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)text);
    const __m128i number = _mm_sub_epi8(bytes, _mm_set1_epi8('0')), letter = _mm_sub_epi8(bytes, _mm_set1_epi8('a'));
    const __m128i is_number = _mm_cmpeq_epi8(_mm_min_epu8(number, _mm_set1_epi8(9)), number);
    const __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
    const __m128i e_or_o = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('e')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('o')));
    const __m128i t_or_u = _mm_cmpeq_epi8(_mm_or_si128(bytes, _mm_set1_epi8(1)), _mm_set1_epi8('u'));
    const __m128i digit = _mm_or_si128(is_number, _mm_andnot_si128(_mm_or_si128(e_or_o, t_or_u), is_letter));
    return 0xFFFFu & ~(uint32_t)_mm_movemask_epi8(digit);
}

static inline uint32_t refscan_others(const uint8_t *window) {
    return refscan_others_of_16(window) | refscan_others_of_16(window + 16) << 16;
}

/* Four bytes are looked at alone first: in most data one of them is no digit, and a guess costs less than the vectors. */
static inline int refscan_last_other_sse2(const uint8_t *window) {
    for (int at = 31; at > 27; at--) {
        if (!refscan_digits[window[at]]) return at;
    }
    const uint32_t others = refscan_others(window);
    return others ? 31 - __builtin_clz(others) : -1;
}

static inline int refscan_first_other_sse2(const uint8_t *window) {
    const uint32_t others = refscan_others(window);
    return others ? __builtin_ctz(others) : REFSCAN_WINDOW;
}
#else
#define REFSCAN_SSE2 0
#define refscan_last_other_sse2 refscan_last_other_plain
#define refscan_first_other_sse2 refscan_first_other_plain
#endif

#endif
