"""The version of this library, where every layer can name it."""

VERSION = "0.1.0"
