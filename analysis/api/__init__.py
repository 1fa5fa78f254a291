"""The REST API of the analysis, blinded: cuts, looks with their open reports, jobs."""
