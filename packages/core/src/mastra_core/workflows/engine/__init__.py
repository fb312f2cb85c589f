"""Execute workflows: the interpreter, journals, runs and the memory engine."""
