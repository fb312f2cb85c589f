"""Make foreign text safe to print: escape sequences become visible, secrets become ``****``."""
