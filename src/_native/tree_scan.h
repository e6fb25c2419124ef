/* Two scans that every walk over trees spends its time in: where a name ends, and how far two trees agree. */
#ifndef SILTSTONE_TREE_SCAN_H
#define SILTSTONE_TREE_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TREE_SCAN_WORDS 1
#else
#define TREE_SCAN_WORDS 0
#endif

/* Return how many bytes lie before the first NUL or slash, or `end - here` where neither comes.  Names have a dozen
 * bytes: calling memchr for each of the two costs more than the looking. */
static inline ptrdiff_t tree_name_size(const uint8_t *here, const uint8_t *end)
{
    const uint8_t *start = here;
#if defined(__SSE2__)
    const __m128i slash = _mm_set1_epi8('/');
    for (; end - here >= 16; here += 16) {
        __m128i piece = _mm_loadu_si128((const __m128i *)here);
        int found = _mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(piece, _mm_setzero_si128()), _mm_cmpeq_epi8(piece, slash)));
        if (found)
            return here - start + __builtin_ctz((unsigned)found);
    }
#elif TREE_SCAN_WORDS
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    for (; end - here >= 8; here += 8) {
        uint64_t word, other, found;
        memcpy(&word, here, 8);
        other = word ^ (ones * '/');
        found = (((word - ones) & ~word) | ((other - ones) & ~other)) & tops;
        if (found) /* the lowest mark is true; one above it may be a borrow */
            return here - start + (__builtin_ctzll(found) >> 3);
    }
#endif
    while (here < end && *here != 0 && *here != '/')
        here++;
    return here - start;
}

/* Return how many bytes two buffers of *size* bytes have in common from their start. */
static inline ptrdiff_t tree_shared_size(const uint8_t *left, const uint8_t *right, ptrdiff_t size)
{
    ptrdiff_t at = 0;
#if defined(__SSE2__)
    for (; size - at >= 64; at += 64) {
        __m128i same = _mm_and_si128(
            _mm_and_si128(
                _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(left + at)), _mm_loadu_si128((const __m128i *)(right + at))),
                _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(left + at + 16)),
                               _mm_loadu_si128((const __m128i *)(right + at + 16)))),
            _mm_and_si128(
                _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(left + at + 32)),
                               _mm_loadu_si128((const __m128i *)(right + at + 32))),
                _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(left + at + 48)),
                               _mm_loadu_si128((const __m128i *)(right + at + 48)))));
        if (_mm_movemask_epi8(same) != 0xFFFF)
            break;
    }
#endif
    for (; size - at >= 8; at += 8)
        if (memcmp(left + at, right + at, 8) != 0)
            break;
    while (at < size && left[at] == right[at])
        at++;
    return at;
}

/* Return the bytes of a mode that nearly every record has, its space included, or 0 where another way must tell. */
static inline int tree_usual_mode(const uint8_t *here, const uint8_t *end, uint32_t *mode)
{
    if (end - here < 8)
        return 0;
    if (memcmp(here, "100644 ", 7) == 0) {
        *mode = 0100644;
        return 7;
    }
    if (memcmp(here, "40000 ", 6) == 0) {
        *mode = 0040000;
        return 6;
    }
    if (memcmp(here, "100755 ", 7) == 0) {
        *mode = 0100755;
        return 7;
    }
    return 0;
}

#endif
