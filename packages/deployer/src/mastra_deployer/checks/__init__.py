"""What can be said of an app without running it: what it reads, where it keeps files."""
