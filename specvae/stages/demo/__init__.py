"""Two synthetic nights, fitted and scored."""
