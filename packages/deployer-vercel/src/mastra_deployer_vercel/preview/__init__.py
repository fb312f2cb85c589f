"""mastra preview vercel: the function on this machine."""
