"""Connected components of anomalous pixels: their arithmetic, no files."""
