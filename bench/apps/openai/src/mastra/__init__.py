"""The application of bench/peer/src/mastra in Python."""
