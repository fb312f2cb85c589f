"""The description of a workflow: steps, nodes, and the types that flow between them."""
