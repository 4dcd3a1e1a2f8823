"""Tables of spectra, read chunk by chunk."""
