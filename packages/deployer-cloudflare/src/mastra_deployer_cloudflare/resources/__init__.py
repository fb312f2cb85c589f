"""The objects of Cloudflare's API that the deployer reads and writes."""
