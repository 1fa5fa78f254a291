"""Drug levels of a laboratory, taken and kept at the closed side: a quantifiable value tells the arm.

Works only for the role `unblinded`; see docs/adr/0015.
"""
