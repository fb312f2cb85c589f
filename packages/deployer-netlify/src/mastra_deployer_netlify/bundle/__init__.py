"""Turn a build into a function and static files, offline and without credentials."""
