"""The report of a scene: JSON, page, quicklook and figures."""
