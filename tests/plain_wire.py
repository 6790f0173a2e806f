"""Remote read's bytes in plain Python, written and read bit by bit; shares nothing with the project's own kernels."""

import struct
from collections.abc import Iterable, Mapping, Sequence

Sample = tuple[int, int]  # epoch milliseconds, and the 64 bits of a value
STEP_BITS = {"0": 0, "10": 14, "110": 17, "1110": 20, "1111": 64}


def bits_of(value: float) -> int:
    return int(struct.unpack(">Q", struct.pack(">d", value))[0])


def value_of(bits: int) -> float:
    return float(struct.unpack(">d", struct.pack(">Q", bits))[0])


# Chunks, as text of zeros and ones.


def binary(number: int, width: int) -> str:
    return format(number % 2**width, f"0{width}b") if width else ""


def fits(change: int, width: int) -> bool:
    """Whether a change of the step may be written so: as two's complement, but with 10…0 for the positive number."""
    return change == 0 if width == 0 else width == 64 or -(2 ** (width - 1)) < change <= 2 ** (width - 1)


def step_text(change: int, wider: int = 0) -> str:
    """The narrowest way to write it, or one that is so many times wider than needed."""
    prefixes = [prefix for prefix, width in STEP_BITS.items() if fits(change, width)]
    prefix = prefixes[min(wider, len(prefixes) - 1)]
    return prefix + binary(change, STEP_BITS[prefix])


def xor_chunk(samples: Sequence[Sample], wider: Sequence[int] = ()) -> bytes:
    """A chunk of samples; `wider`: by how much the way to write the change of a step is wider than needed."""
    head = struct.pack(">H", len(samples))
    if not samples:
        return head
    (time, value), *further = samples
    head += varint(zigzag(time)) + struct.pack(">Q", value)
    text, step, window = "", 0, (64, 64)
    for place, (at, bits) in enumerate(further):
        if place == 0:
            step = (at - time) % 2**64
            head += varint(step)
        else:
            changed = signed(at - time - step)
            text += step_text(changed, wider[place] if place < len(wider) else 0)
            step = (step + changed) % 2**64
        written, window = value_text(bits ^ value, window)
        text += written
        time, value = at, bits
    text += "0" * (-len(text) % 8)
    return head + bytes(int(text[place : place + 8], 2) for place in range(0, len(text), 8))


def value_text(difference: int, window: tuple[int, int]) -> tuple[str, tuple[int, int]]:
    """How a value differs from the one before, and the leading and trailing zeros of which the next may make use."""
    if difference == 0:
        return "0", window
    whole = binary(difference, 64)
    leading, trailing = min(len(whole) - len(whole.lstrip("0")), 31), len(whole) - len(whole.rstrip("0"))
    if window[0] + window[1] < 64 and leading >= window[0] and trailing >= window[1]:
        return "10" + whole[window[0] : 64 - window[1]], window
    length = 64 - leading - trailing
    return "11" + binary(leading, 5) + binary(length % 64, 6) + whole[leading : 64 - trailing], (
        leading,
        trailing,
    )


class Torn(Exception):
    """The chunk ends before its samples do, or says what cannot be."""


class Bits:
    def __init__(self, data: bytes) -> None:
        self._text = "".join(format(byte, "08b") for byte in data)
        self._at = 0

    def take(self, count: int) -> str:
        if self._at + count > len(self._text):
            raise Torn
        self._at += count
        return self._text[self._at - count : self._at]

    def number(self, count: int) -> int:
        return int(self.take(count) or "0", 2)

    def varint(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            more, part = self.number(1), self.number(7)
            found |= part << shift
            if not more:
                if found >= 2**64:
                    break
                return found
        raise Torn


def chunk_samples(chunk: bytes) -> list[Sample]:
    """The samples of a chunk; raises Torn."""
    bits = Bits(chunk)
    count = bits.number(16)
    if not count:
        return []
    time, value, step, found = unzigzag(bits.varint()), bits.number(64), 0, []
    leading, length = 0, 64
    found.append((time, value))
    for place in range(1, count):
        step = bits.varint() if place == 1 else (step + changed_by(bits)) % 2**64
        time = signed(time + step)
        if bits.take(1) == "1":
            if bits.take(1) == "1":
                leading, length = bits.number(5), bits.number(6) or 64
                if leading + length > 64:
                    raise Torn
            value ^= bits.number(length) << 64 - leading - length
        found.append((time, value))
    return found


def changed_by(bits: Bits) -> int:
    prefix = bits.take(1)
    while prefix not in STEP_BITS:
        prefix += bits.take(1)
    width = STEP_BITS[prefix]
    number = bits.number(width)
    return number - 2**width if width and number > 2 ** (width - 1) else number


# Messages and frames.


def signed(number: int) -> int:
    number %= 2**64
    return number - 2**64 if number >= 2**63 else number


def zigzag(number: int) -> int:
    return number * 2 if number >= 0 else -number * 2 - 1


def unzigzag(number: int) -> int:
    return -(number + 1) // 2 if number % 2 else number // 2


def varint(number: int) -> bytes:
    found = []
    while number >= 128:
        found.append(number % 128 + 128)
        number //= 128
    return bytes([*found, number])


def number_field(number: int, value: int) -> bytes:
    return varint(number * 8) + varint(value % 2**64)


def bytes_field(number: int, value: bytes) -> bytes:
    return varint(number * 8 + 2) + varint(len(value)) + value


def label_fields(labels: Mapping[str, str]) -> bytes:
    return b"".join(
        bytes_field(1, bytes_field(1, name.encode()) + bytes_field(2, value.encode()))
        for name, value in labels.items()
    )


def chunk_message(chunk: bytes, encoding: int = 1) -> bytes:
    return number_field(1, 5) + number_field(2, 7) + number_field(3, encoding) + bytes_field(4, chunk)


def chunked_series(labels: Mapping[str, str], chunks: Iterable[bytes], encoding: int = 1) -> bytes:
    """A ChunkedReadResponse with one series."""
    inside = label_fields(labels) + b"".join(
        bytes_field(2, chunk_message(chunk, encoding)) for chunk in chunks
    )
    return bytes_field(1, inside) + number_field(2, 0)


def sampled_series(labels: Mapping[str, str], samples: Iterable[Sample]) -> bytes:
    """A TimeSeries as a field of a QueryResult."""
    inside = label_fields(labels)
    for at, bits in samples:
        inside += bytes_field(2, b"\x09" + struct.pack("<Q", bits) + number_field(2, at))
    return bytes_field(1, inside)


def crc32c(data: bytes) -> int:
    checksum = 2**32 - 1
    for byte in data:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum // 2 ^ (0x82F63B78 if checksum % 2 else 0)
    return checksum ^ 2**32 - 1


def frame(payload: bytes) -> bytes:
    return varint(len(payload)) + struct.pack(">I", crc32c(payload)) + payload


def http_chunks(pieces: Iterable[bytes]) -> bytes:
    """The pieces, none of them empty, in chunked transfer coding."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
