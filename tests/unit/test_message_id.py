from hypothesis import given
from hypothesis import strategies as st

from models.storage.reading_id import pack, unpack

IDS = st.one_of(st.text("0123456789abcdef-", min_size=1), st.text(min_size=1), st.uuids().map(str))


@given(IDS)
def test_what_is_packed_can_be_unpacked(message_id: str) -> None:
    """So that no two ids are stored as one."""
    assert unpack(pack(message_id)) == message_id


def test_hexadecimal_ids_take_half_as_many_bytes() -> None:
    packed = pack("0a1b2c3d-123456")
    assert isinstance(packed, bytes)
    assert len(packed) == 8
    assert len(pack("123e4567-e89b-12d3-a456-426614174000")) == 19


def test_zeros_at_the_front_count() -> None:
    assert len({pack("0" * length) for length in range(1, 70)}) == 69


def test_what_is_not_of_hexadecimal_digits_is_its_text() -> None:
    for message_id in ("x", "ABC", "0g", "1_0", " 1", "+1", "1\n", "\u0661", "#ab"):
        assert pack(message_id) == message_id


def test_ids_of_one_length_are_stored_in_their_order() -> None:
    """So that those of one sender are in one place of the database."""
    ids = [f"0a1b2c3d-{number:03}" for number in range(100, 1000)]
    assert [unpack(packed) for packed in sorted(pack(message_id) for message_id in ids)] == ids
