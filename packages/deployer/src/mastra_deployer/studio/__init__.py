"""Download Mastra Studio, a page to try agents and workflows, and serve it without Node."""
