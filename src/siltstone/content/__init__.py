"""The content layer."""
