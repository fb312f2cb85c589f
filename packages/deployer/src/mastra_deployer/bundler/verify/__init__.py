"""The start of a staged app in isolation, and its comparison with the source."""
