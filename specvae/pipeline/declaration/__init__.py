"""The TOML of a pipeline, checked whole."""
