"""A scripted vLLM 0.32 that needs no GPU: a transport for the program, a socket for other clients."""
