"""What the engine's worker processes have in common: how they are started, and how messages cross their pipes."""
