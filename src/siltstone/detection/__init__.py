"""The detection layer."""
