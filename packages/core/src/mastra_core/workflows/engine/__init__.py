"""The execution of a workflow: interpreter, journal, runs, and the memory engine."""
