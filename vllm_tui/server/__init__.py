"""Facts about a vLLM server beside its answers: health, version, models."""
