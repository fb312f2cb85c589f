"""Start a staged app once in isolation, and compare it with its source."""
