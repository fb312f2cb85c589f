"""Releases: the log that the registry keeps, and the tag that makes an image live."""
