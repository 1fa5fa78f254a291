from hashlib import sha256

import numpy as np
import pytest

from analysis.simulation.streams import STREAMS, stream


def test_a_stream_is_philox_seeded_with_the_hash_of_its_name_and_the_index():
    key = int.from_bytes(sha256(b"diary").digest()[:8], "big")
    expected = np.random.Generator(np.random.Philox(np.random.SeedSequence(5, spawn_key=(key, 3))))
    assert stream(5, "diary", 3).random(4).tolist() == expected.random(4).tolist()


def test_streams_and_participants_share_no_numbers():
    first = {stream(5, name, index).random() for name in STREAMS for index in range(20)}
    assert len(first) == len(STREAMS) * 20


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1)])
def test_negative_seeds_and_indices_are_refused(seed, index):
    with pytest.raises(ValueError, match="must be 0 or more"):
        stream(seed, "diary", index)
