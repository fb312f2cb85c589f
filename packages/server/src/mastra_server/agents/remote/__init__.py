"""Agent runs of other servers that share the database."""
