"""What a vLLM server says beside its answers: is it there, what is it, what does it serve, how long is a text."""
