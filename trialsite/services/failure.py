"""What all failures that the services foresee have in common."""


class ServicesError(RuntimeError):
    """Something about servers or processes that its message explains fully; no traceback is needed."""
