"""How the randomisation list is made: plain Python, no database, no clock."""

from studies.randomisation.permuted_blocks import ListRow, check_digit, generate_list, permuted_blocks

__all__ = ["ListRow", "check_digit", "generate_list", "permuted_blocks"]
