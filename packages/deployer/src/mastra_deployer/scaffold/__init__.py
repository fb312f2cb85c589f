"""Files that mastra new writes."""
