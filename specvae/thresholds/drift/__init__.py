"""Whether a scene is one that the model's thresholds hold for."""
