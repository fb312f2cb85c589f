"""Read the user's project: its configuration, entry file, settings and interpreters."""
