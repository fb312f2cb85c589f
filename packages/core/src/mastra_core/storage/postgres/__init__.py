"""Storage in a PostgreSQL database."""

from mastra_core.storage.postgres.postgres_storage import PostgresStorage

__all__ = ("PostgresStorage",)
