"""The records that TFDS writes: a serialized tf.train.Example, read here without TensorFlow.

Protocol buffers on the wire: fields one after the other, each a key (number << 3 | wire type) and a value; type 0 is a
whole number of 7 bits a byte, type 2 a length and so many bytes. An Example holds its features as a map:
Example{1: Features{1: entry{1: name, 2: Feature{1: bytes, 2: floats, 3: integers}}}}, where a list is a message
{1: values}, and a list of integers may be packed into one field of bytes.
"""

from collections.abc import Iterator

_BYTES, _INTEGERS = 1, 3


def _number(data: memoryview, at: int) -> tuple[int, int]:
    """The whole number at a place, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of every field of a message; ValueError or IndexError where it is not one."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        value, at = _number(data, at)
        if key & 7 == 2:
            if at + value > len(data):
                raise ValueError("a record ends in the middle of a field")
            value, at = data[at : at + value], at + value
        elif key & 7 != 0:
            raise ValueError("a record is not an example with an image and a label")
        yield key >> 3, value


def image_and_label(record: bytes) -> tuple[memoryview, int]:
    """The bytes of the feature `image` and the number of the feature `label`; ValueError where one is missing."""
    found = {}
    for _, features in _fields(memoryview(record)):
        for _, entry in _fields(features):
            parts = dict(_fields(entry))
            name = bytes(parts[1])
            if name in (b"image", b"label"):
                found[name] = dict(_fields(parts[2]))
    try:
        image = dict(_fields(found[b"image"][_BYTES]))[1]
        label = dict(_fields(found[b"label"][_INTEGERS])).get(1, 0)
    except KeyError:
        raise ValueError("a record is not an example with an image and a label") from None
    label = label if isinstance(label, int) else _number(label, 0)[0]
    return image, label - 2**64 if label >= 2**63 else label
