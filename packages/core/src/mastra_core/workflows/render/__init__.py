"""A workflow as a picture: graph data, Mermaid, SVG."""
