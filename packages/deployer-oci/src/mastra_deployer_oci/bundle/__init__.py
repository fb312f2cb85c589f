"""From a build to a bundle: offline and without credentials."""
