"""Load plugins by entry point and call their hooks."""
