"""The coordinator's pages, on the admin site's engine. One page, one task; each calls a verb."""
