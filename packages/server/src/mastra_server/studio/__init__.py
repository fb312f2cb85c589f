"""Routes that only Mastra Studio calls."""
