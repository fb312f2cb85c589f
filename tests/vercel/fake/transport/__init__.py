"""The HTTP side of the fake: connections, routing, rate limits and injected errors."""
