"""The compiled scorer: both terms of every pixel in one pass, from physical units to nats, without torch."""
