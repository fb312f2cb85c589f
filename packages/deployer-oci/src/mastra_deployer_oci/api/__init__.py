"""The registry's distribution API: client, authentication, references and tags."""
