"""File formats and products: a new format is a file here and a line in ``registry.FORMATS``."""
