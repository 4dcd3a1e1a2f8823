"""File formats and products: a new format is a file here."""
