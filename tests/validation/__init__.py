"""`make validate`: every reference number recomputed, every simulation run, and docs/validation.md written from it."""
