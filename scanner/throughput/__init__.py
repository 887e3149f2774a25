"""How fast a model is on this machine: what `genoscan bench` measures."""
