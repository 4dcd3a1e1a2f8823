"""Everything that is written: maps, objects, reports, tables, STAC items."""
