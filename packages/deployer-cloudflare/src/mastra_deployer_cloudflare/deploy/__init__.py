"""Upload a Worker, and change its addresses to match the settings."""
