"""The model of a workflow: steps, nodes, and the types that are passed between them."""
