"""Objects as polygons with reasons: outlines, attributes, files."""
