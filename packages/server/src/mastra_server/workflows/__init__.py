"""Routes of workflows: runs, streams, resume, time travel."""
