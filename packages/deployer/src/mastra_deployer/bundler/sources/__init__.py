"""The project's own code as it ships."""
