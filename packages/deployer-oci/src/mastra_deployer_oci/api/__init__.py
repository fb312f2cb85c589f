"""The distribution API of a registry: client, authentication, names."""
