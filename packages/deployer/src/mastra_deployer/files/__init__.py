"""Files and directories of mastra itself: caches, locks, atomic replacement."""
