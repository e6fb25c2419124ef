"""What can be wrong with an entry of a pack: one number, one text, shared by inflate, delta, reader and walk."""

cdef enum PackFault:
    STREAM_DAMAGED = -10        # not a zlib stream, or its checksum does not hold
    STREAM_SHORT = -11          # the stream ends before the stated size
    STREAM_LONG = -12           # the stream goes on after the stated size
    STREAM_CUT = -13            # the compressed bytes end inside the stream
    DELTA_CUT = -20             # the delta ends inside an instruction
    DELTA_RESERVED = -21        # opcode 0
    DELTA_OUTSIDE = -22         # a copy reaches outside the base
    DELTA_BASE_SIZE = -23       # the base has another size than the delta says
    DELTA_RESULT_SIZE = -24     # the instructions make another size than the delta says
    ENTRY_OFFSET = -30          # the index points outside the pack
    ENTRY_HEADER = -31          # type and size are cut short or exceed 64 bits
    ENTRY_KIND = -32            # a reserved type
    ENTRY_BASE = -33            # no entry starts where the base should be
    ENTRY_IMPLAUSIBLE = -34     # the stated size cannot come from that little compressed data
    ENTRY_CYCLE = -35           # the chain of bases comes back to itself
    ENTRY_DEEP = -36            # the chain of bases is longer than a random read follows
    BASE_UNREADABLE = -37       # the base of this delta is at fault
    ENTRY_SHARED = -38          # the index gives this entry to a name before this one
    READ_FAILED = -40           # the file ends early, or the system refused the read
    NO_MEMORY = -41
    TOO_LARGE = -42             # above the limit for one object: valid, not read
    BASE_ELSEWHERE = -43        # a REF_DELTA whose base is not in this pack: valid, needs the database

cdef inline const char* fault_text(int fault) noexcept nogil:
    """Return the text of *fault* for a message."""
    if fault == STREAM_DAMAGED:
        return "compressed data is damaged"
    if fault == STREAM_SHORT:
        return "content is shorter than stated"
    if fault == STREAM_LONG:
        return "content is longer than stated"
    if fault == STREAM_CUT:
        return "compressed data is cut short"
    if fault == DELTA_CUT:
        return "delta is cut short"
    if fault == DELTA_RESERVED:
        return "delta holds the reserved instruction 0"
    if fault == DELTA_OUTSIDE:
        return "delta copies from outside its base"
    if fault == DELTA_BASE_SIZE:
        return "delta is for a base of another size"
    if fault == DELTA_RESULT_SIZE:
        return "delta makes another size than stated"
    if fault == ENTRY_OFFSET:
        return "entry lies outside the pack"
    if fault == ENTRY_HEADER:
        return "entry header is damaged"
    if fault == ENTRY_KIND:
        return "entry has a reserved type"
    if fault == ENTRY_BASE:
        return "no entry starts at the delta's base"
    if fault == ENTRY_IMPLAUSIBLE:
        return "stated size cannot come from that little data"
    if fault == ENTRY_CYCLE:
        return "delta chain comes back to itself"
    if fault == ENTRY_DEEP:
        return "delta chain is too long"
    if fault == BASE_UNREADABLE:
        return "the delta's base cannot be read"
    if fault == ENTRY_SHARED:
        return "the index gives one entry to two names"
    if fault == READ_FAILED:
        return "pack file ends early or cannot be read"
    if fault == NO_MEMORY:
        return "memory is exhausted"
    if fault == TOO_LARGE:
        return "object is larger than the limit"
    if fault == BASE_ELSEWHERE:
        return "the delta's base is not in this pack"
    return "unknown fault"
