"""What the file system says about a regular file's content without reading it, and when that may be believed.

Equal fingerprints mean that nobody wrote to the file through the system in between, if the first was *settled*: its last
change was longer ago than the coarsest clock of a file system.  This is the rule of git's index ("racy git"): a file that was
changed in the very tick in which it was read may change again in that tick and show the same times.

Not seen: writes through a mapping that the system has not yet accounted for, writes to the device below the file system, a
clock that is set back, and file systems whose times come from a server more than `SETTLED_NS` behind and whose clock is coarse.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

SETTLED_NS = 2_000_000_000  # FAT keeps two seconds, NFS and HFS+ one; ext4, xfs and btrfs a tick of at most 10 ms


class FileFingerprint(NamedTuple):
    """Where a regular file is, how long it is, and when its content and its inode last changed (nanoseconds)."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileFingerprint | None:
        """Return the fingerprint, or None for what is no regular file, or has no bytes: /proc shows files of size 0."""
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return None
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def is_settled(self, now_ns: int) -> bool:
        """Return whether a change after *now_ns*, a time not after this was taken, must show in the fingerprint."""
        return max(self.modified_ns, self.changed_ns) + SETTLED_NS <= now_ns
