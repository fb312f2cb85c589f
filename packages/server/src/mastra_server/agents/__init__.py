"""Routes that run agents (generate, stream, approve) and the wire format of a run."""
