"""The ``mastra`` command: it parses options with click and calls the other packages."""
