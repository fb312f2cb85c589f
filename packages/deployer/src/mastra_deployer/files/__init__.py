"""Manage mastra's own files and directories: caches, locks, atomic replacement."""
