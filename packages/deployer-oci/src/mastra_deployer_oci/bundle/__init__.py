"""Turn a build into the layers of an image, offline and without credentials."""
