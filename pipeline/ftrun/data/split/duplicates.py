"""Finding equal examples by their digests, in buckets: there is never a table of all of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

WIDTH = 16  # bytes of a digest


def repeated(digests: bytes | bytearray, roles: Sequence[int]) -> bytearray:
    """Return 1 for each example that repeats an earlier one of the same split, else 0."""
    marks = bytearray(len(roles))
    for indices in _with_repeats(digests):
        seen: set[tuple[int, bytes]] = set()
        for index in indices:
            key = (roles[index], _digest(digests, index))
            if key in seen:
                marks[index] = 1
            seen.add(key)
    return marks


def leaked(digests: bytes | bytearray, parts: Sequence[int]) -> list[tuple[int, int]]:
    """Return, in order, the examples that are also in an earlier split, with the first such split."""
    leaks: list[tuple[int, int]] = []
    for indices in _with_repeats(digests):
        first: dict[bytes, int] = {}
        for index in indices:
            digest = _digest(digests, index)
            first[digest] = min(parts[index], first.get(digest, parts[index]))
        found = ((index, first[_digest(digests, index)]) for index in indices)
        leaks += [(index, part) for index, part in found if part < parts[index]]
    return sorted(leaks)


def _with_repeats(digests: bytes | bytearray) -> Iterator[array[int]]:
    """Yield the buckets in which digests may be equal; mostly their first halves show that none are."""
    with memoryview(digests) as view, view.cast("Q") as halves:
        for indices in buckets(digests):
            if len({halves[2 * index] for index in indices}) < len(indices):
                yield indices


def _digest(digests: bytes | bytearray, index: int) -> bytes:
    return bytes(digests[index * WIDTH : (index + 1) * WIDTH])


def buckets(digests: bytes | bytearray | memoryview) -> list[array[int]]:
    """Return the indices of examples by the first byte of their digests, so that few are compared at once."""
    found = [array("I") for _ in range(256)]
    for index, byte in enumerate(digests[::WIDTH]):
        found[byte].append(index)
    return found
