"""Other tools that make a file or a directory of a Python application."""
