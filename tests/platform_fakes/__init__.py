"""What the fakes of platforms share: HTTP connections, listening sockets, planned faults."""
