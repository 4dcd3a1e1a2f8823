"""Physical units to the two terms in nats: configuration, normaliser, context, VAE."""
