"""Cubes among the arrays of HDF5 and NetCDF files: their axes, wavelengths and places, and sensors' products of such files."""
