"""Makes text of others safe to print: escape sequences become visible, secrets become ``****``."""
