"""The embedded PostgreSQL and Valkey servers and the processes of a running site. Plain Python, no models."""
