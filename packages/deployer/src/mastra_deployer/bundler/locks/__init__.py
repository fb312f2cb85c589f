"""Read a project's dependencies: one module for each tool whose files declare them."""
