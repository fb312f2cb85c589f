"""The model of a workflow: its steps and nodes, and the types between them."""
