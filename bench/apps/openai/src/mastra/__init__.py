"""What bench/peer/src/mastra has, in Python."""
