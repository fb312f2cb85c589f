"""Write the files of ``mastra new``."""
