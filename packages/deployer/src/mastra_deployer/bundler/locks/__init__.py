"""Read the dependencies of a project, with one module for each tool."""
