"""Commands on the database of an application."""
