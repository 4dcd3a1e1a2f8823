"""What is gathered over windows, shards and clusters; each is an :class:`accumulator.Accumulator`."""
