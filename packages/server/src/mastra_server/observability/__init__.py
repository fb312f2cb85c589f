"""Routes of logs and traces, and the buffers that hold them."""
