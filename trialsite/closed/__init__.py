"""The closed door: results by arm for the DSMB and the unblinded statistician, kits for the pharmacist.

Every process of it connects as `unblinded`; its accounts and sessions are in the concealed schema.
"""
