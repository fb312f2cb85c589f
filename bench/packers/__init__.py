"""Other tools that pack a Python application into a file or a directory."""
