"""The contract: recorded requests are checked against the schemas of `@vercel/sdk`."""
