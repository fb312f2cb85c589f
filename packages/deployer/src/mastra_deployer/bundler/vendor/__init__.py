"""The dependencies of a bundle: installed, pruned, compiled, and linked from a store."""
