"""Follow the imports between modules and compile modules, in the Python of the target."""
