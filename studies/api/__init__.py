"""The REST API of design and conduct. A view parses, checks permission, calls the verb, presents."""
