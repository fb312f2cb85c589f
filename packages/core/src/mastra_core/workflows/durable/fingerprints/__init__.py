"""Decide by the fingerprints of workflows which process can continue a run."""
