"""``mastra preview netlify``: run the function on this machine."""
