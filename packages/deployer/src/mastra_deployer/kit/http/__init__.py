"""An HTTP client for platforms: errors, retries, limits and destinations."""
