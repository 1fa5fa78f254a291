"""Randomisation lists: stratified permuted blocks, made by the unblinded side only."""

from studies.randomisation.numbers import is_valid_number
from studies.randomisation.permuted_blocks import ListRow, generate_list, permuted_blocks

__all__ = ["ListRow", "generate_list", "is_valid_number", "permuted_blocks"]
