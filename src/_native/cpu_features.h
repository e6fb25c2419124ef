/* What the processor and the operating system let a program use. */
#ifndef SILTSTONE_CPU_FEATURES_H
#define SILTSTONE_CPU_FEATURES_H

#include <stdint.h>

enum {
    CPU_AVX2 = 1,
    CPU_AVX512F = 2,
    CPU_AVX512BW = 4,
    CPU_AVX512VBMI = 8,
    CPU_SHA = 16,
    CPU_NEON = 32,
    CPU_AVX512VBMI2 = 64,
    CPU_AVX512VL = 128,
    CPU_AVX512DQ = 256
};

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>

/* Registers that the system saves when it switches threads: without that, wide ones may not be used (Intel SDM 14.3). */
static uint64_t cpu_saved_state(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static unsigned cpu_feature_bits(void) {
    unsigned a, b, c, d, bits = 0;
    uint64_t saved = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    if (c >> 27 & 1) saved = cpu_saved_state();             /* OSXSAVE */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (b >> 29 & 1) bits |= CPU_SHA;
    if ((saved & 0x06) == 0x06 && (b >> 5 & 1)) bits |= CPU_AVX2;       /* SSE and AVX state */
    if ((saved & 0xE6) == 0xE6) {                                       /* and masks, upper halves, upper registers */
        if (b >> 16 & 1) bits |= CPU_AVX512F;
        if (b >> 17 & 1) bits |= CPU_AVX512DQ;
        if (b >> 30 & 1) bits |= CPU_AVX512BW;
        if (b >> 31 & 1) bits |= CPU_AVX512VL;
        if (c >> 1 & 1) bits |= CPU_AVX512VBMI;
        if (c >> 6 & 1) bits |= CPU_AVX512VBMI2;
    }
    return bits;
}
#elif defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#endif

static unsigned cpu_feature_bits(void) {
    unsigned bits = CPU_NEON;                               /* part of the base architecture */
#if defined(__linux__)
    if (getauxval(AT_HWCAP) >> 6 & 1) bits |= CPU_SHA;      /* HWCAP_SHA2 */
#elif defined(__APPLE__)
    bits |= CPU_SHA;                                        /* every arm64 processor of Apple has it */
#endif
    return bits;
}
#else
static unsigned cpu_feature_bits(void) { return 0; }
#endif

#define CPU_GEAR_VBMI (CPU_AVX512F | CPU_AVX512DQ | CPU_AVX512BW | CPU_AVX512VL | CPU_AVX512VBMI | CPU_AVX512VBMI2)
#endif
