"""What the latent space of a model holds: draws, paths, codes and reconstructions, each a folder of named files."""
