"""Which instruction sets this machine offers: what the processor has and the operating system saves."""

cdef extern from "cpu_features.h" nogil:
    enum: CPU_AVX2
    enum: CPU_AVX512F
    enum: CPU_AVX512BW
    enum: CPU_AVX512VBMI
    enum: CPU_SHA
    enum: CPU_NEON
    unsigned cpu_feature_bits()

_NAMES = {
    "avx2": CPU_AVX2, "avx512f": CPU_AVX512F, "avx512bw": CPU_AVX512BW, "avx512vbmi": CPU_AVX512VBMI,
    "sha": CPU_SHA, "neon": CPU_NEON,
}


def cpu_features():
    """Return whether this machine offers each of avx2, avx512f, avx512bw, avx512vbmi, sha and neon, by name.

    ``sha`` is SHA-NI on x86-64 and the SHA-2 instructions on arm64.  A set that the system does not save is not offered.
    """
    cdef unsigned bits = cpu_feature_bits()
    return {name: bits & bit != 0 for name, bit in _NAMES.items()}
