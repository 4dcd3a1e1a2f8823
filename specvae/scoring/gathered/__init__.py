"""What is gathered over windows, shards and clusters: each has update, merge and finish."""
