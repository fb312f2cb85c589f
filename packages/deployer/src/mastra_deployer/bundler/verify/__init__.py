"""Start a staged app once in isolation, and compare it with an import of its source."""
