"""Content and frames that the tests of compression share."""

import random

RANDOM = random.Random(3)
TEXT = b"".join(b"%d layers of silt, %d of sand\n" % (RANDOM.randrange(99), RANDOM.randrange(9)) for _ in range(2000))
FRAMED = ("zstd", "lz4", "xz", "bzip2")
ALL = (*FRAMED, "none")
