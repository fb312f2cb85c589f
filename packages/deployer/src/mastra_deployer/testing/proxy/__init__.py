"""The proxy between a deployer and its fake platform."""
