/* Nix base 32 of many values of one size, with vectors: AVX-512 VBMI in blocks of 40 bytes (64 digits), AVX2 in blocks of
 * 20 bytes (32 digits).
 *
 * The digits of a value stand last byte first, so a block takes bytes from the front and puts digits at the back; 40 and 20
 * bytes are whole digits, so no block shares a digit with its neighbour.  What is left, fewer bytes than a block, becomes the
 * first digits.  Decoding mirrors this, and a value whose first digit has bits that no byte holds is a fault.
 *
 * Shifts by multiplication and the packing of 5 bits are those of W. Mula and D. Lemire, "Faster Base64 Encoding and Decoding
 * using AVX2 Instructions" (2018), sections 3 and 4, for 5 bits instead of 6.
 */
#ifndef SILTSTONE_BASE32_SIMD_H
#define SILTSTONE_BASE32_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BASE32_SCALAR = 0, BASE32_AVX2 = 1, BASE32_VBMI = 2 };

#define BASE32_DIGITS "0123456789abcdfghijklmnpqrsvwxyz"

#if defined(__x86_64__) && defined(__GNUC__)
#define BASE32_X86 1
#include <immintrin.h>

#define BASE32_FOR_VBMI __attribute__((target("avx512f,avx512bw,avx512vbmi")))
#define BASE32_FOR_AVX2 __attribute__((target("avx2")))
enum { VBMI_BYTES = 40, VBMI_DIGITS = 64, AVX2_BYTES = 20, AVX2_DIGITS = 32, NO_DIGIT = 0x80 };

/* The lowest `count` bits set; count <= 64. */
static inline uint64_t base32_ones(size_t count) { return count >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1; }

/* Positions 0..63, each plus `by`, modulo 64: vpermb looks at the low six bits only. */
BASE32_FOR_VBMI static inline __m512i base32_rotation(size_t by) {
    uint8_t index[64];
    for (size_t p = 0; p < 64; p++) index[p] = (uint8_t)(p + by);
    return _mm512_loadu_si512(index);
}

BASE32_FOR_VBMI static void base32_encode_vbmi(const uint8_t *data, size_t count, size_t size, uint8_t *text) {
    const size_t rest = size % VBMI_BYTES, rest_digits = (8 * rest + 4) / 5;
    const size_t length = size / VBMI_BYTES * VBMI_DIGITS + rest_digits;
    uint8_t from[64] = {0}, alphabet[64];
    for (size_t q = 0; q < 8; q++)
        for (size_t j = 0; j < 5; j++) from[8 * q + j] = (uint8_t)(35 - 5 * q + j); /* eight digits: five bytes */
    memcpy(alphabet, BASE32_DIGITS, 32);
    memcpy(alphabet + 32, BASE32_DIGITS, 32); /* twice: the sixth bit of an index is a neighbour's */
    const __m512i gather = _mm512_loadu_si512(from), digits = _mm512_loadu_si512(alphabet);
    const __m512i shifts = _mm512_set1_epi64(0x00050A0F14191E23); /* byte j of eight: 35 - 5 * j bits */
    const __m512i to_front = base32_rotation(VBMI_DIGITS - rest_digits);
    const __mmask64 block = base32_ones(VBMI_BYTES), bytes = base32_ones(rest), kept = base32_ones(rest_digits);
    for (; count; count--, text += length) {
        uint8_t *end = text + length;
        for (size_t left = size; left >= VBMI_BYTES; left -= VBMI_BYTES, data += VBMI_BYTES) {
            const __m512i in = _mm512_permutexvar_epi8(gather, _mm512_maskz_loadu_epi8(block, data));
            end -= VBMI_DIGITS;
            _mm512_storeu_si512(end, _mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(shifts, in), digits));
        }
        if (rest) {
            const __m512i in = _mm512_permutexvar_epi8(gather, _mm512_maskz_loadu_epi8(bytes, data));
            const __m512i out = _mm512_permutexvar_epi8(_mm512_multishift_epi64_epi8(shifts, in), digits);
            _mm512_mask_storeu_epi8(text, kept, _mm512_permutexvar_epi8(to_front, out));
            data += rest;
        }
    }
}

/* Return how many values decode before the first that has a fault. */
BASE32_FOR_VBMI static size_t base32_decode_vbmi(const uint8_t *text, size_t count, size_t size, uint8_t *data) {
    const size_t rest = size % VBMI_BYTES, rest_digits = (8 * rest + 4) / 5;
    const size_t length = size / VBMI_BYTES * VBMI_DIGITS + rest_digits;
    uint8_t values[128], from[64] = {0};
    memset(values, NO_DIGIT, 128);
    for (uint8_t value = 0; value < 32; value++) values[(uint8_t)BASE32_DIGITS[value]] = value;
    for (size_t b = 0; b < VBMI_BYTES; b++) from[b] = (uint8_t)(8 * (7 - b / 5) + b % 5);
    const __m512i low = _mm512_loadu_si512(values), high = _mm512_loadu_si512(values + 64), gather = _mm512_loadu_si512(from);
    const __m512i zero_digits = _mm512_set1_epi8('0'), to_back = base32_rotation(rest_digits);
    const __mmask64 block = base32_ones(VBMI_BYTES), bytes = base32_ones(rest), present = base32_ones(rest_digits);
    for (size_t done = 0; done < count; done++, text += length) {
        const uint8_t *end = text + length;
        for (size_t left = size; left; left -= left >= VBMI_BYTES ? VBMI_BYTES : left) {
            const int whole = left >= VBMI_BYTES;
            const __mmask64 kept = whole ? block : bytes;
            __m512i in;
            if (whole) {
                end -= VBMI_DIGITS;
                in = _mm512_loadu_si512(end);
            } else {
                in = _mm512_permutexvar_epi8(to_back, _mm512_mask_loadu_epi8(zero_digits, present, text));
            }
            const __m512i value = _mm512_permutex2var_epi8(low, in, high);
            if (_mm512_movepi8_mask(_mm512_or_si512(value, in))) return done;
            const __m512i tens = _mm512_maddubs_epi16(value, _mm512_set1_epi16(0x0120));       /* two digits: 10 bits */
            const __m512i twenties = _mm512_madd_epi16(tens, _mm512_set1_epi32(0x00010400)); /* four: 20 bits */
            const __m512i forties = _mm512_or_si512(_mm512_slli_epi64(twenties, 20), _mm512_srli_epi64(twenties, 32));
            const __m512i out = _mm512_maskz_permutexvar_epi8(block, gather, forties);
            if (_mm512_test_epi8_mask(out, out) & ~kept) return done;
            _mm512_mask_storeu_epi8(data, kept, out);
            data += whole ? VBMI_BYTES : left;
        }
    }
    return count;
}

/* 20 bytes to 32 digits; reads and writes no byte more. */
BASE32_FOR_AVX2 static inline void base32_encode_block(const uint8_t *data, uint8_t *text) {
    /* Word w of a lane holds the ten bits of two digits, the seventh pair first; the front lane is bytes 10 to 19. */
    const __m256i gather = _mm256_setr_epi8(14, 15, 13, 14, 12, 13, 11, 12, 9, 10, 8, 9, 7, 8, 6, 7,
                                            8, 9, 7, 8, 6, 7, 5, 6, 3, 4, 2, 3, 1, 2, 0, 1);
    const __m256i right = _mm256_set1_epi64x(0x0800020000800020); /* >> 5 + {6, 4, 2, 0}, as a high product */
    const __m256i left = _mm256_set1_epi64x(0x0100004000100004);  /* << 8 - {6, 4, 2, 0}, as a low product */
    const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)BASE32_DIGITS));
    const __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(BASE32_DIGITS + 16)));
    const __m256i halves = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(data + 4))), _mm_loadu_si128((const __m128i *)data), 1);
    const __m256i pairs = _mm256_shuffle_epi8(halves, gather);
    const __m256i first = _mm256_and_si256(_mm256_mulhi_epu16(pairs, right), _mm256_set1_epi16(0x001F));
    const __m256i second = _mm256_and_si256(_mm256_mullo_epi16(pairs, left), _mm256_set1_epi16(0x1F00));
    const __m256i value = _mm256_or_si256(first, second);
    _mm256_storeu_si256((__m256i *)text,
                        _mm256_blendv_epi8(_mm256_shuffle_epi8(low, value), _mm256_shuffle_epi8(high, value),
                                           _mm256_slli_epi16(value, 3))); /* bit 4 of a value chooses the half */
}

BASE32_FOR_AVX2 static void base32_encode_avx2(const uint8_t *data, size_t count, size_t size, uint8_t *text) {
    const size_t rest = size % AVX2_BYTES, rest_digits = (8 * rest + 4) / 5;
    const size_t length = size / AVX2_BYTES * AVX2_DIGITS + rest_digits;
    for (; count; count--, text += length) {
        uint8_t *end = text + length, bytes[AVX2_BYTES] = {0}, digits[AVX2_DIGITS];
        for (size_t left = size; left >= AVX2_BYTES; left -= AVX2_BYTES, data += AVX2_BYTES) {
            end -= AVX2_DIGITS;
            base32_encode_block(data, end);
        }
        if (rest) {
            memcpy(bytes, data, rest);
            base32_encode_block(bytes, digits);
            memcpy(text, digits + AVX2_DIGITS - rest_digits, rest_digits);
            data += rest;
        }
    }
}

/* 32 digits to 20 bytes; 0 where a symbol is no digit. */
BASE32_FOR_AVX2 static inline int base32_decode_block(const uint8_t *text, uint8_t *data) {
    const char no = (char)NO_DIGIT;
    /* Values by the low nibble of a symbol, for high nibbles 3, 6 and 7: digits, a to n without e, p to z without t and u. */
    const __m256i threes = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, no, no, no, no, no, no));
    const __m256i sixes = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(no, 10, 11, 12, 13, no, 14, 15, 16, 17, 18, 19, 20, 21, 22, no));
    const __m256i sevens = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(23, 24, 25, 26, no, no, 27, 28, 29, 30, 31, no, no, no, no, no));
    const __m256i gather = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(8, 9, 10, 11, 12, 0, 1, 2, 3, 4, -1, -1, -1, -1, -1, -1));
    const __m256i in = _mm256_loadu_si256((const __m256i *)text);
    const __m256i row = _mm256_and_si256(in, _mm256_set1_epi8((char)0xF0));
    const __m256i is_three = _mm256_cmpeq_epi8(row, _mm256_set1_epi8(0x30));
    const __m256i is_six = _mm256_cmpeq_epi8(row, _mm256_set1_epi8(0x60));
    const __m256i is_seven = _mm256_cmpeq_epi8(row, _mm256_set1_epi8(0x70));
    const __m256i known = _mm256_or_si256(is_three, _mm256_or_si256(is_six, is_seven));
    const __m256i value = _mm256_or_si256(
        _mm256_and_si256(is_three, _mm256_shuffle_epi8(threes, in)),
        _mm256_or_si256(_mm256_and_si256(is_six, _mm256_shuffle_epi8(sixes, in)),
                        _mm256_and_si256(is_seven, _mm256_shuffle_epi8(sevens, in))));
    if (_mm256_movemask_epi8(value) | ~_mm256_movemask_epi8(known)) return 0;
    const __m256i tens = _mm256_maddubs_epi16(value, _mm256_set1_epi16(0x0120));
    const __m256i twenties = _mm256_madd_epi16(tens, _mm256_set1_epi32(0x00010400));
    const __m256i forties = _mm256_or_si256(_mm256_slli_epi64(twenties, 20), _mm256_srli_epi64(twenties, 32));
    const __m256i out = _mm256_shuffle_epi8(forties, gather);
    const __m128i back = _mm256_extracti128_si256(out, 1), front = _mm256_castsi256_si128(out);
    const uint16_t back_end = (uint16_t)_mm_extract_epi16(back, 4), front_end = (uint16_t)_mm_extract_epi16(front, 4);
    _mm_storel_epi64((__m128i *)data, back);
    memcpy(data + 8, &back_end, 2);
    _mm_storel_epi64((__m128i *)(data + 10), front);
    memcpy(data + 18, &front_end, 2);
    return 1;
}

BASE32_FOR_AVX2 static size_t base32_decode_avx2(const uint8_t *text, size_t count, size_t size, uint8_t *data) {
    const size_t rest = size % AVX2_BYTES, rest_digits = (8 * rest + 4) / 5;
    const size_t length = size / AVX2_BYTES * AVX2_DIGITS + rest_digits;
    for (size_t done = 0; done < count; done++, text += length) {
        const uint8_t *end = text + length;
        uint8_t digits[AVX2_DIGITS], bytes[AVX2_BYTES], more = 0;
        for (size_t left = size; left >= AVX2_BYTES; left -= AVX2_BYTES, data += AVX2_BYTES) {
            end -= AVX2_DIGITS;
            if (!base32_decode_block(end, data)) return done;
        }
        if (rest) {
            memset(digits, '0', AVX2_DIGITS);
            memcpy(digits + AVX2_DIGITS - rest_digits, text, rest_digits);
            if (!base32_decode_block(digits, bytes)) return done;
            for (size_t b = rest; b < AVX2_BYTES; b++) more |= bytes[b];
            if (more) return done;
            memcpy(data, bytes, rest);
            data += rest;
        }
    }
    return count;
}
#endif

/* Whether this processor, and its system, run the variant. */
static int base32_runs(int variant) {
    if (variant == BASE32_SCALAR) return 1;
#ifdef BASE32_X86
    __builtin_cpu_init();
    if (variant == BASE32_AVX2) return __builtin_cpu_supports("avx2") != 0;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi");
#else
    return 0;
#endif
}

/* Encode `count` values of `size` bytes each, one behind the other; the variant must run here and not be the scalar one. */
static void base32_encode_vectors(int variant, const uint8_t *data, size_t count, size_t size, uint8_t *text) {
#ifdef BASE32_X86
    if (variant == BASE32_VBMI) base32_encode_vbmi(data, count, size, text);
    else base32_encode_avx2(data, count, size, text);
#else
    (void)variant, (void)data, (void)count, (void)size, (void)text;
#endif
}

/* Decode likewise; return how many values have no fault before the first that has one, of which nothing useful is written. */
static size_t base32_decode_vectors(int variant, const uint8_t *text, size_t count, size_t size, uint8_t *data) {
#ifdef BASE32_X86
    if (variant == BASE32_VBMI) return base32_decode_vbmi(text, count, size, data);
    return base32_decode_avx2(text, count, size, data);
#else
    (void)variant, (void)text, (void)count, (void)size, (void)data;
    return 0;
#endif
}

#endif
