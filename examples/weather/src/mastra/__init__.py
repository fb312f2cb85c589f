"""A small application about the weather."""
