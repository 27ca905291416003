"""Reads and writes the records of TFDS (serialized tf.train.Example) without TensorFlow.

A protocol buffer is a sequence of fields. A field is a key (number << 3 | wire type) and a value. A value of wire type
0 is a varint: an integer with 7 bits in each byte. A value of wire type 2 is a length and that number of bytes.
An Example contains its features as a map:
Example{1: Features{1: entry{1: name, 2: Feature{1: bytes, 2: floats, 3: integers}}}}.
Each list is a message {1: values}; a list of integers may be packed into one field of bytes.
"""

from collections.abc import Iterator

_BYTES, _INTEGERS = 1, 3


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """(the integer at `position`, the position after it)."""
    value = shift = 0
    while True:
        byte = data[position]
        value, position, shift = value | (byte & 0x7F) << shift, position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of every field of a message; ValueError or IndexError if `data` is not a message."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        value, position = _varint(data, position)
        if key & 7 == 2:
            if position + value > len(data):
                raise ValueError("a record ends in the middle of a field")
            value, position = data[position : position + value], position + value
        elif key & 7 != 0:
            raise ValueError("a record is not an example with an image and a label")
        yield key >> 3, value


def image_and_label(record: bytes) -> tuple[memoryview, int]:
    """The bytes of the feature `image` and the integer of the feature `label`; ValueError if one of them is missing."""
    features_by_name = {}
    for _, features in _fields(memoryview(record)):
        for _, entry in _fields(features):
            fields = dict(_fields(entry))
            name = bytes(fields[1])
            if name in (b"image", b"label"):
                features_by_name[name] = dict(_fields(fields[2]))
    try:
        image = dict(_fields(features_by_name[b"image"][_BYTES]))[1]
        label = dict(_fields(features_by_name[b"label"][_INTEGERS])).get(1, 0)
    except KeyError:
        raise ValueError("a record is not an example with an image and a label") from None
    label = label if isinstance(label, int) else _varint(label, 0)[0]
    return image, label - 2**64 if label >= 2**63 else label


def encode(image: bytes, label: int) -> bytes:
    """A record with these two features. label: at least 0."""
    features = (
        _field(1, _field(1, name) + _field(2, _field(kind, values)))
        for name, kind, values in (
            (b"image", _BYTES, _field(1, image)),
            (b"label", _INTEGERS, _field(1, _to_varint(label))),
        )
    )
    return _field(1, b"".join(features))


def _field(number: int, content: bytes) -> bytes:
    """A field of wire type 2."""
    return _to_varint(number << 3 | 2) + _to_varint(len(content)) + content


def _to_varint(value: int) -> bytes:
    pieces = bytearray()
    while value >= 0x80:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*pieces, value])
