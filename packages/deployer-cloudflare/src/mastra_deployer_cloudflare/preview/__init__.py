"""``mastra preview cloudflare``: run the bundle on Pyodide in Node, without an account."""
