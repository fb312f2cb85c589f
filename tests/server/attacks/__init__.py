"""Test attacks of callers on the server, each beside the honest request."""
