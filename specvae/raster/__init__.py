"""Rasters read right or refused: folders, formats, bands, validity, masks and georeferencing."""
