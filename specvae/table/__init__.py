"""Tables of spectra: CSV and Parquet, a row a spectrum, read in chunks and written back with scores."""
