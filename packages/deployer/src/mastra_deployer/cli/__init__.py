"""The ``mastra`` command: click draws the options, the line does the work."""
