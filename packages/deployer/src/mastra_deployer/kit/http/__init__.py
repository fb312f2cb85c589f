"""An HTTP client for platforms, with errors, retries, limits and checked destinations."""
