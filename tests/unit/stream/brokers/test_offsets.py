"""Up to where a partition is done."""

from __future__ import annotations

from cauce.stream.brokers.offsets import Offsets


def offsets(count: int, *partitions: int) -> Offsets:
    found = Offsets()
    found.begin(partitions)
    found.give([(one, at) for at in range(count) for one in partitions])
    return found


def test_a_partition_is_done_below_the_first_message_that_is_not() -> None:
    found = offsets(5, 0, 1)
    found.finish(["0:0", "0:1", "0:3", "1:4"])
    assert found.due() == {0: 2, 1: 0}
    found.finish(["0:2", "1:0", "1:1", "1:3", "1:2"])
    assert found.due() == {0: 4, 1: 5}
    found.keep(1, 5)
    assert found.due() == {0: 4}


def test_offsets_that_a_topic_left_out_are_done_too() -> None:
    found = Offsets()
    found.begin([0])
    assert found.give([(0, 3), (0, 7), (0, 20)]) == ["0:3", "0:7", "0:20"]
    found.finish(["0:3"])
    assert found.due() == {0: 7}
    found.finish(["0:7", "0:20"])
    assert found.due() == {0: 21}


def test_what_is_read_elsewhere_is_not_kept_here() -> None:
    found = offsets(3, 0, 1)
    found.drop([1])
    found.finish(["1:0", "1:1", "0:0"])
    assert found.due() == {0: 1}
    found.begin([1])  # it comes back, and begins where the other left off
    assert found.due() == {0: 1}
    assert found.give([(1, 2)]) == ["1:2"]
    found.finish(["1:2"])
    assert found.due() == {0: 1, 1: 3}
