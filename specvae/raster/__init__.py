"""Everything that opens a raster."""
