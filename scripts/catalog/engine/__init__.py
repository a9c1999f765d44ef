"""The local engine: reads, checks and runs Tekton documents without a cluster."""
