"""Routes that run workflows: start, stream, resume, time travel."""
