"""Write archives and check the size of a bundle."""
