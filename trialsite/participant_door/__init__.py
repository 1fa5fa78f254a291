"""The participants' door: forms that participants fill in themselves, without an account (docs/adr/0010)."""
