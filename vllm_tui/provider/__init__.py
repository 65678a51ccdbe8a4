"""The vLLM client and the pure maps around it."""
