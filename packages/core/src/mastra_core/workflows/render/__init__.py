"""Render a workflow as graph data, Mermaid or SVG."""
