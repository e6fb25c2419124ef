"""The asv suites; each says in its first line which change may move it."""
