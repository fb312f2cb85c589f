"""Turn a build into Vercel's Build Output, offline and without credentials."""
