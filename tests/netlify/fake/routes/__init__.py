"""The endpoints of the fake, by subject."""
