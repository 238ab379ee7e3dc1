"""Files, stores and catalogs."""
