"""Contracts and rules: read from the vendor, kept with their terms, prices and scheduled updates."""
