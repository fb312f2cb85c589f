"""The endpoints of the fake, one module for each kind of object."""
