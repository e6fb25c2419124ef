/* Candidates for cut points, 64 strips at a time, with AVX-512 VBMI; one more strip runs in the integer units meanwhile.
 *
 * A position is a candidate where its fingerprint has no bit of `mask`.  All masks lie in bits 0 to 47, so the fingerprint
 * at a position is a sum over the 48 bytes that end there, whatever came before: any part of the input can be searched
 * without knowing where its chunks begin.  What is found is a superset of the cuts; the caller decides.
 *
 * Layout.  A region of `tiles` tiles is cut into 64 strips that overlap by one tile: the first tile of a strip only warms
 * its fingerprint up.  A tile is 64 bytes of each strip, turned so that a row holds one byte of every strip:
 *
 *      input      strip 0: b b b b ...        64 strips, 64 bytes each
 *      gather     eight strips by eight bytes: 8x8 words, then 8x8 bytes inside a register
 *      turn       eight groups of eight strips: 8x8 words again; a row is byte k of strips 0-7, 32-39, 8-15, 40-47, ...
 *      lookup     six planes of the gear table (byte 0 to 5 of each entry), 256 entries each: two permutes and a blend
 *      limbs      pairs of planes, interleaved: 16 bits for each of 32 strips, low and high half apart
 *      advance    fingerprint = 2 * fingerprint + gear in three limbs of 16 bits; carries travel in mask registers
 *
 * The limbs make it fast: three interleaves for each half of a row where lanes of 64 bits need 22 for the whole row.
 * Measured on Zen 4, 3.7 GHz, everything in the L2 cache: a row of 64 bytes takes 31 cycles, turning included 37.  The
 * vector pipes are the limit, the integer units idle; GEAR_STEP_BYTES bytes of the last strip in each row cost 5 to 8 more.
 *
 * Everything is static and compiled with target attributes: the file needs no flags, and elsewhere it is empty.
 */
#ifndef SILTSTONE_GEAR_VBMI_H
#define SILTSTONE_GEAR_VBMI_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    GEAR_STRIPS = 64,
    GEAR_TILE = 64,             /* bytes of a strip in a tile, and bytes of warm-up: 48 would do, 64 keeps loads aligned */
    GEAR_STEP_BYTES = 28,       /* integer steps in each row; 24 and 32 are 1 % slower */
    GEAR_TURN_BYTES = 8,        /* integer steps beside each of the sixteen 8x8 turns of a tile; 16 is 2 % slower */
    GEAR_LANE_TILE = GEAR_TILE * GEAR_STEP_BYTES + 16 * GEAR_TURN_BYTES,    /* bytes of the last strip in a tile */
    GEAR_MAX_TILES = 34,        /* 196 KiB: stays in an L2 cache of 1 MiB while the next region is fetched */
    GEAR_FEW_TILES = 18,        /* 97 KiB: where minima are long, regions that end inside of one save reading it */
    GEAR_STRIP_ROOM = 96,       /* candidates of a strip; more means data for the scalar */
    GEAR_LANE_ROOM = 2048       /* candidates of the last strip */
};

/* All that a search needs; one for each call, since it is written to. */
typedef struct {
    _Alignas(64) uint8_t plane[6][256];             /* byte k of each gear entry */
    _Alignas(64) uint8_t gathered[GEAR_STRIPS * GEAR_TILE];
    _Alignas(64) uint8_t rows[(GEAR_STRIPS + 1) * GEAR_TILE];   /* one row more than is used: the lookups run ahead */
    _Alignas(64) uint32_t hits[GEAR_TILE][2];       /* for each row, one bit for each strip, the lower 32 first */
    uint64_t gear[256];
    uint64_t mask;                                  /* below 2**48 */
    int carries_twice;                              /* an entry has all bits of the middle limb: its carry needs more care */
    uint32_t found_count;
    uint16_t strip_count[GEAR_STRIPS];
    uint16_t strip_found[GEAR_STRIPS][GEAR_STRIP_ROOM];
    uint32_t lane_count;
    uint32_t lane_found[GEAR_LANE_ROOM];
    uint32_t found[GEAR_STRIPS * GEAR_STRIP_ROOM + GEAR_LANE_ROOM];  /* ascending, from the start of the region */
    void *memory;                                   /* what free takes */
} gear_search;

/* Bytes of a region, the warm-up among them. */
static inline size_t gear_region_size(size_t tiles) {
    return GEAR_STRIPS * GEAR_TILE * (tiles - 1) + GEAR_LANE_TILE * tiles;
}

/* A search for candidates of `mask`, or NULL where memory is refused; 64 KiB. */
static inline gear_search *gear_search_new(const uint64_t *gear, uint64_t mask) {
    void *memory = malloc(sizeof(gear_search) + 63);
    gear_search *search = (gear_search *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
    if (!memory) return NULL;
    search->memory = memory;
    search->mask = mask;
    search->carries_twice = 0;
    memcpy(search->gear, gear, sizeof(search->gear));
    memset(search->rows, 0, sizeof(search->rows));
    for (int value = 0; value < 256; value++) {
        for (int k = 0; k < 6; k++) search->plane[k][value] = (uint8_t)(gear[value] >> (8 * k));
        if ((uint16_t)(gear[value] >> 16) == 0xFFFF) search->carries_twice = 1;
    }
    return search;
}

static inline void gear_search_free(gear_search *search) {
    if (search) free(search->memory);
}

#if defined(__x86_64__) && defined(__GNUC__)
#define GEAR_HAS_VBMI 1
#include <immintrin.h>

#define GEAR_TARGET target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2")
#define GEAR_PART static inline __attribute__((always_inline, GEAR_TARGET))

typedef struct {
    __m512i low, middle, high;          /* bits 0-15, 16-31, 32-47 of 32 fingerprints */
} gear_limbs;

typedef struct {
    __m512i k[6];                       /* the six planes of a row */
} gear_planes;

/* A copy of the planes that no store can reach: gcc keeps half of it in registers and the rest on the stack. */
typedef struct {
    __m512i quarter[6][4];
} gear_table;

typedef struct {
    const uint8_t *here;
    uint64_t fingerprint;
    uint32_t position;                  /* of `here`, from the start of the last strip */
} gear_lane;

/* Turn an 8x8 matrix of 64-bit words. */
GEAR_PART void gear_turn(__m512i r[8]) {
    __m512i even[4], odd[4], a, b, c, d;
    for (int i = 0; i < 4; i++) {
        even[i] = _mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]);
        odd[i] = _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        const __m512i *half = i ? odd : even;
        a = _mm512_shuffle_i64x2(half[0], half[1], 0x88);
        b = _mm512_shuffle_i64x2(half[0], half[1], 0xDD);
        c = _mm512_shuffle_i64x2(half[2], half[3], 0x88);
        d = _mm512_shuffle_i64x2(half[2], half[3], 0xDD);
        r[i] = _mm512_shuffle_i64x2(a, c, 0x88);
        r[i + 4] = _mm512_shuffle_i64x2(a, c, 0xDD);
        r[i + 2] = _mm512_shuffle_i64x2(b, d, 0x88);
        r[i + 6] = _mm512_shuffle_i64x2(b, d, 0xDD);
    }
}

/* Eight strips of one tile, turned to words of one byte position each. `ahead` bytes on, the next region is fetched. */
GEAR_PART void gear_gather(gear_search *search, const uint8_t *tile, size_t stride, int group, size_t ahead) {
    const __m512i bytes = _mm512_set_epi64(0x3F372F271F170F07, 0x3E362E261E160E06, 0x3D352D251D150D05, 0x3C342C241C140C04,
                                           0x3B332B231B130B03, 0x3A322A221A120A02, 0x3931292119110901, 0x3830282018100800);
    const int slot = (group & 3) * 2 + (group >> 2);        /* makes bit i of `hits` strip i */
    __m512i r[8];
    for (int i = 0; i < 8; i++) {
        const uint8_t *source = tile + (size_t)(8 * group + i) * stride;
        r[i] = _mm512_loadu_si512(source);
        _mm_prefetch((const char *)((uintptr_t)source + ahead), _MM_HINT_T1);
    }
    gear_turn(r);
    for (int k = 0; k < 8; k++)
        _mm512_store_si512(search->gathered + 512 * k + 64 * slot, _mm512_permutexvar_epi8(bytes, r[k]));
}

GEAR_PART void gear_turn_rows(gear_search *search, int group) {
    __m512i r[8];
    for (int i = 0; i < 8; i++) r[i] = _mm512_load_si512(search->gathered + 512 * group + 64 * i);
    gear_turn(r);
    for (int i = 0; i < 8; i++) _mm512_store_si512(search->rows + 512 * group + 64 * i, r[i]);
}

GEAR_PART gear_planes gear_look_up(const gear_table *table, const uint8_t *row) {
    const __m512i bytes = _mm512_load_si512(row);
    const __mmask64 upper = _mm512_movepi8_mask(bytes);
    gear_planes planes;
    for (int k = 0; k < 6; k++) {
        __m512i low = _mm512_permutex2var_epi8(table->quarter[k][0], bytes, table->quarter[k][1]);
        __m512i high = _mm512_permutex2var_epi8(table->quarter[k][2], bytes, table->quarter[k][3]);
        planes.k[k] = _mm512_mask_blend_epi8(upper, low, high);
    }
    return planes;
}

/* One step of 32 fingerprints; return which have no bit of the mask.  The lowest limb is not tested: a superset will do. */
GEAR_PART __mmask32 gear_advance(gear_limbs *h, __m512i low, __m512i middle, __m512i high, __m512i mask_middle,
                                 __m512i mask_high, int carries_twice) {
    const __m512i minus_one = _mm512_set1_epi16(-1);
    __m512i twice = _mm512_add_epi16(h->low, h->low);
    __m512i twice_middle = _mm512_shldi_epi16(h->middle, h->low, 1), twice_high = _mm512_shldi_epi16(h->high, h->middle, 1);
    h->low = _mm512_add_epi16(twice, low);
    __mmask32 carry = _mm512_cmplt_epu16_mask(h->low, low);
    middle = _mm512_mask_sub_epi16(middle, carry, middle, minus_one);
    h->middle = _mm512_add_epi16(twice_middle, middle);
    __mmask32 carry_middle = _mm512_cmplt_epu16_mask(h->middle, middle);
    if (carries_twice) carry_middle |= _mm512_mask_testn_epi16_mask(carry, middle, middle);     /* 0xFFFF + 1 */
    high = _mm512_add_epi16(twice_high, high);
    h->high = _mm512_mask_sub_epi16(high, carry_middle, high, minus_one);
    return _mm512_mask_testn_epi16_mask(_mm512_testn_epi16_mask(h->high, mask_high), h->middle, mask_middle);
}

/* Go on by `count` bytes in the last strip. */
GEAR_PART void gear_lane_steps(gear_search *search, gear_lane *lane, uint64_t mask, const int count) {
    uint64_t total = lane->fingerprint;
    const uint8_t *here = lane->here;
#pragma GCC unroll 32
    for (int i = 0; i < count; i++) {
        total = search->gear[here[i]] + 2 * total;
        if (__builtin_expect((total & mask) == 0, 0)) {
            if (search->lane_count < GEAR_LANE_ROOM) search->lane_found[search->lane_count] = lane->position + (uint32_t)i;
            search->lane_count++;
        }
    }
    /* Without the barrier gcc splits the loop around this into a vector one and an integer one: 50 % slower. */
    __asm__ volatile("" : "+r"(total));
    lane->fingerprint = total;
    lane->here = here + count;
    lane->position += (uint32_t)count;
}

/* Append the hits of a tile to the lists of their strips; return 0 where one is full. */
static __attribute__((noinline)) int gear_note_hits(gear_search *search, size_t tile) {
    for (int row = 0; row < GEAR_TILE; row++) {
        uint64_t hits;
        memcpy(&hits, search->hits[row], sizeof(hits));
        for (; hits; hits &= hits - 1) {
            int strip = __builtin_ctzll(hits);
            if (search->strip_count[strip] == GEAR_STRIP_ROOM) return 0;
            search->strip_found[strip][search->strip_count[strip]++] = (uint16_t)(tile * GEAR_TILE + (size_t)row);
        }
    }
    return 1;
}

GEAR_PART void gear_tile_rows(gear_search *search, const gear_table *table, gear_limbs *even, gear_limbs *odd,
                              gear_lane *lane, uint64_t mask, int carries_twice) {
    const __m512i mask_middle = _mm512_set1_epi16((short)(mask >> 16)), mask_high = _mm512_set1_epi16((short)(mask >> 32));
    gear_limbs a = *even, b = *odd;
    gear_planes p = gear_look_up(table, search->rows);
    for (int row = 0; row < GEAR_TILE; row++) {
        __mmask32 first = gear_advance(&a, _mm512_unpacklo_epi8(p.k[0], p.k[1]), _mm512_unpacklo_epi8(p.k[2], p.k[3]),
                                       _mm512_unpacklo_epi8(p.k[4], p.k[5]), mask_middle, mask_high, carries_twice);
        __mmask32 second = gear_advance(&b, _mm512_unpackhi_epi8(p.k[0], p.k[1]), _mm512_unpackhi_epi8(p.k[2], p.k[3]),
                                        _mm512_unpackhi_epi8(p.k[4], p.k[5]), mask_middle, mask_high, carries_twice);
        search->hits[row][0] = _cvtmask32_u32(first);
        search->hits[row][1] = _cvtmask32_u32(second);
        gear_lane_steps(search, lane, mask, GEAR_STEP_BYTES / 2);
        p = gear_look_up(table, search->rows + 64 * (row + 1));
        gear_lane_steps(search, lane, mask, GEAR_STEP_BYTES / 2);
    }
    *even = a;
    *odd = b;
}

GEAR_PART int gear_region(gear_search *search, const uint8_t *region, size_t tiles, const int carries_twice) {
    const size_t stride = GEAR_TILE * (tiles - 1);
    const uint64_t mask = search->mask;
    const __m512i zero = _mm512_setzero_si512();
    gear_limbs even = {zero, zero, zero}, odd = even;
    gear_table table;
    for (int k = 0; k < 6; k++)
        for (int i = 0; i < 4; i++) table.quarter[k][i] = _mm512_load_si512(search->plane[k] + 64 * i);
    gear_lane lane = {region + GEAR_STRIPS * stride, 0, 0};
    for (size_t tile = 0; tile < tiles; tile++) {
        for (int group = 0; group < 8; group++) {
            gear_gather(search, region + GEAR_TILE * tile, stride, group, gear_region_size(tiles));
            gear_lane_steps(search, &lane, mask, GEAR_TURN_BYTES);
        }
        for (int group = 0; group < 8; group++) {
            gear_turn_rows(search, group);
            gear_lane_steps(search, &lane, mask, GEAR_TURN_BYTES);
        }
        gear_tile_rows(search, &table, &even, &odd, &lane, mask, carries_twice);
        __m512i any = zero;
        for (int i = 0; i < 8; i++) any = _mm512_or_si512(any, _mm512_load_si512(search->hits + 8 * i));
        if (tile && _mm512_test_epi64_mask(any, any) && !gear_note_hits(search, tile)) return 0;
    }
    return 1;
}

static __attribute__((noinline, GEAR_TARGET)) int gear_region_plain(gear_search *search, const uint8_t *region, size_t tiles) {
    return gear_region(search, region, tiles, 0);
}

static __attribute__((noinline, GEAR_TARGET)) int gear_region_careful(gear_search *search, const uint8_t *region,
                                                                      size_t tiles) {
    return gear_region(search, region, tiles, 1);
}

/* Fill `found` with the candidates of a region from its byte GEAR_TILE on; return 0 where there are too many to list.
 * Reads gear_region_size(tiles) bytes.  Requires 2 <= tiles <= GEAR_MAX_TILES. */
static int gear_find_candidates(gear_search *search, const uint8_t *region, size_t tiles) {
    const size_t stride = GEAR_TILE * (tiles - 1);
    memset(search->strip_count, 0, sizeof(search->strip_count));
    search->lane_count = search->found_count = 0;
    if (!(search->carries_twice ? gear_region_careful : gear_region_plain)(search, region, tiles)) return 0;
    if (search->lane_count > GEAR_LANE_ROOM) return 0;
    for (uint32_t strip = 0; strip < GEAR_STRIPS; strip++)
        for (uint32_t i = 0; i < search->strip_count[strip]; i++)
            search->found[search->found_count++] = (uint32_t)(strip * stride) + search->strip_found[strip][i];
    for (uint32_t i = 0; i < search->lane_count; i++)
        if (search->lane_found[i] >= GEAR_TILE)
            search->found[search->found_count++] = (uint32_t)(GEAR_STRIPS * stride) + search->lane_found[i];
    return 1;
}
#else
#define GEAR_HAS_VBMI 0
static inline int gear_find_candidates(gear_search *search, const uint8_t *region, size_t tiles) {
    (void)search; (void)region; (void)tiles;
    return 0;
}
#endif
#endif
