"""The HTTP server of mastra for Python."""
