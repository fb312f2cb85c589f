"""``mastra preview vercel``: run the function on this machine."""
