"""Check an app's own code and its variables, without running the code."""
