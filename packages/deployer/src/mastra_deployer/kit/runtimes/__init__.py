"""Find interpreters and name the platforms that bundles are built for."""
