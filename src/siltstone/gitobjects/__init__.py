"""The gitobjects layer."""
