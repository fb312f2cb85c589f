"""Which process can continue a run: fingerprints of workflows, parked and moved runs."""
