"""How every benchmark ends: a line per bar, and the exit status."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """One promise: ``measured`` must be at most (or, with ``at_least``, at least) ``bar``."""

    name: str
    measured: float
    bar: float
    unit: str = ""
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return self.measured >= self.bar if self.at_least else self.measured <= self.bar


def report(bars: list[Bar]) -> int:
    """Print ``name: measured, bar, holds`` or ``falls short`` for each; 1 if one falls short, else 0."""
    print()
    for bar in bars:
        sign = ">=" if bar.at_least else "<="
        verdict = "holds" if bar.holds else "falls short"
        print(f"{bar.name}: {bar.measured:.2f}{bar.unit}, {sign} {bar.bar:g}{bar.unit}, {verdict}")
    return 0 if all(bar.holds for bar in bars) else 1
