"""Downloads Mastra Studio, the page for trying agents and workflows, and serves it without Node."""
