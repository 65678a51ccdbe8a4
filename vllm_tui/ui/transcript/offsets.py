"""Heights of things that stand one above the other, and where each of them begins."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable


class Offsets:
    """A list of heights in rows; sums are kept up to the first height that changed since."""

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._heights = list(heights)
        self._starts = [0]

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, index: int) -> int:
        return self._heights[index]

    @property
    def total(self) -> int:
        """Return the sum of all heights."""
        return self.start(len(self._heights))

    def start(self, index: int) -> int:
        """Return the row at which entry `index` begins; the number of entries gives the end."""
        starts = self._starts
        for at in range(len(starts) - 1, index):
            starts.append(starts[at] + self._heights[at])
        return starts[index]

    def locate(self, row: int) -> int:
        """Return the entry that holds `row`; the last one for rows beyond the end."""
        self.start(len(self._heights))
        return max(0, min(bisect_right(self._starts, row) - 1, len(self._heights) - 1))

    def set(self, index: int, height: int) -> None:
        """Change one height."""
        if self._heights[index] != height:
            self._heights[index] = height
            del self._starts[index + 1 :]

    def splice(self, index: int, heights: Iterable[int]) -> None:
        """Replace the heights from `index` on."""
        self._heights[index:] = heights
        del self._starts[index + 1 :]
