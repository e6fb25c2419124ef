"""The command ``silt``: parses arguments, renders, exits; the only reader of the environment and the terminal."""
