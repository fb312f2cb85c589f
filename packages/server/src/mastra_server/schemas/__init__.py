"""JSON Schemas in the form that front ends read."""
