"""Backup and restore: the whole database, cuts and closed files in one encrypted stream."""
