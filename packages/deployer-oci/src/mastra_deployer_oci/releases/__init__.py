"""The log of releases in the registry, and the tag that makes an image live."""
