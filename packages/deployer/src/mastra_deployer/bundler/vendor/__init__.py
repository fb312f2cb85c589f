"""Install, prune, compile and store a bundle's dependencies."""
