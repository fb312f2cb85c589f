"""Find interpreters, and name the platforms of bundles."""
