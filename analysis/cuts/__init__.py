"""Data cuts: one consistent snapshot of a study, as Parquet files with a manifest, written once.

| folder | holds | read by |
|---|---|---|
| CUTS_DIR/NAME | the blinded cut: no arm, no row that reveals one | both sides, the API |
| CUTS_DIR/NAME.restricted | side effects and infusion-day vitals, same snapshot | the unblinded worker |
| CLOSED_DIR/cuts/NAME | arm and drug levels of each participant randomised in the cut | the unblinded side |
"""

from analysis.cuts.blinded import CountsDiffer, take, verify_pair
from analysis.cuts.folders import blinded_folder, restricted_folder, unblinded_folder
from analysis.cuts.manifest import MANIFEST, CutDoesNotVerify, Verified, read_manifest, verify_folder
from analysis.cuts.ordering import order_cut
from analysis.cuts.unblinded import arms_of, levels_of, take_unblinded

__all__ = [
    "MANIFEST",
    "CountsDiffer",
    "CutDoesNotVerify",
    "Verified",
    "arms_of",
    "blinded_folder",
    "levels_of",
    "order_cut",
    "read_manifest",
    "restricted_folder",
    "take",
    "take_unblinded",
    "unblinded_folder",
    "verify_folder",
    "verify_pair",
]
