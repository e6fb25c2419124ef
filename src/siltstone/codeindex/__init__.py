"""The codeindex layer."""
