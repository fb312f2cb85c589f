"""Check an app's own code and variables without running it."""
