"""Arrange a build as the modules of a Python Worker, and check it against the limits."""
