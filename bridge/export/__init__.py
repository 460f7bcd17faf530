"""Many reports through a vLLM server in an environment of its own: what is written for it, and how it is asked."""
