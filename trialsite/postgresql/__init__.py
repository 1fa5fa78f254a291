"""Django's PostgreSQL backend that tells the database who acts and why (docs/adr/0003)."""
