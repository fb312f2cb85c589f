"""The mastra command of mastra for Python."""
