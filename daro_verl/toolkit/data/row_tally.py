"""Counts of kept and dropped rows by source and reason, with examples."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

NUM_EXAMPLES = 5  # of each reason


@dataclass
class RowTally:
    """Counts of one source: rows read and kept, dropped rows and remarks by reason, and examples of both."""

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, reason: str, detail: str) -> None:
        self.dropped[reason] += 1
        self._example(reason, detail)

    def remark(self, reason: str, detail: str) -> None:
        self.remarks[reason] += 1
        self._example(reason, detail)

    def add(self, other: "RowTally") -> None:
        """Count another part of the same source."""
        self.read += other.read
        self.kept += other.kept
        self.dropped += other.dropped
        self.remarks += other.remarks
        for reason, details in other.examples.items():
            for detail in details:
                self._example(reason, detail)

    def _example(self, reason: str, detail: str) -> None:
        examples = self.examples.setdefault(reason, [])
        if len(examples) < NUM_EXAMPLES:
            examples.append(detail)

    def as_json(self) -> dict[str, Any]:
        counters = {"dropped": dict(self.dropped), "remarks": dict(self.remarks)}
        return {"read": self.read, "kept": self.kept, **counters, "examples": self.examples}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RowTally":
        counters = {name: Counter(values[name]) for name in ("dropped", "remarks")}
        return cls(values["read"], values["kept"], **counters, examples=values["examples"])


def size_remark(name: str, tally: RowTally, expected: Sequence[int]) -> str | None:
    """A warning if a benchmark does not have as many rows as published scores count; else None."""
    if not expected or tally.kept in expected:
        return None
    sizes = " or ".join(map(str, expected))
    return f"{name}: {tally.kept} rows, but published scores are over {sizes}. Do not compare scores of this file."
