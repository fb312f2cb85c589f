"""Upload files by digest and call a function for many items in parallel."""
