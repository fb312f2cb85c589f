"""The ``mastra`` command, which parses options with click and calls the other packages."""
