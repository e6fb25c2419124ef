"""Hashes whose collisions nobody can prepare: each step multiplies by a word that depends on a secret seed (as in wyhash)."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    static inline uint64_t siltstone_mix(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    """
    uint64_t siltstone_mix(uint64_t a, uint64_t b) noexcept nogil

cdef inline uint64_t load_word(const uint8_t* here) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, here, 8)
    return word

cdef inline uint64_t hash_id(const uint8_t* id, Py_ssize_t id_size, uint64_t seed) noexcept nogil:
    """Mix every byte of an id of 20 or 32 bytes.

    Both factors of each product are masked with the seed: ids that differ in high bits only, or that make one factor
    zero, would else start at one place of a table, whatever the seed.
    """
    cdef uint64_t second = (seed ^ (seed >> 31)) * <uint64_t>0x9E3779B97F4A7C15 | 1
    cdef uint64_t state = siltstone_mix(load_word(id) ^ seed, load_word(id + 8) ^ second)
    if id_size == 32:
        state ^= siltstone_mix(load_word(id + 16) ^ second, seed ^ <uint64_t>0xA0761D6478BD642F)
    return siltstone_mix(state ^ load_word(id + id_size - 8), second)
