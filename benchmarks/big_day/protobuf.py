"""The little of protobuf and snappy that remote write and remote read are spoken in."""


def varint(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first."""
    low = bytearray()
    while number > 0x7F:
        low.append(number & 0x7F | 0x80)
        number >>= 7
    low.append(number)
    return bytes(low)


def number_field(field: int, number: int) -> bytes:
    """A field that holds a number."""
    return varint(field << 3) + varint(number)


def field(number: int, content: bytes) -> bytes:
    """A field that holds bytes, a text or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def snappy(content: bytes) -> bytes:
    """Snappy's block format, as one literal: between two processes of a machine compression gains nothing."""
    return varint(len(content)) + b"\xfc" + (len(content) - 1).to_bytes(4, "little") + content
