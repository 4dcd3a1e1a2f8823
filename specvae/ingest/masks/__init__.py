"""Masks over a scene: rasters and polygons that say which pixels to leave out, are normal or are anomalous."""
