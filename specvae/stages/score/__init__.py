"""Score scenes and tables: named files in, named files out."""
