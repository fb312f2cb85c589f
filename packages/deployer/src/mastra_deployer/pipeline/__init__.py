"""One run of the deploy pipeline for one target: build, bundle, deploy, smoke test."""
