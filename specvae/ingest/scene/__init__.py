"""A scene on its grid: opened, planned, read window by window."""
