"""A run as data, from catalog entry to store."""
