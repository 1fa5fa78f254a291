"""The REST API of measurement."""
