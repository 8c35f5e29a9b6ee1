"""How many workers there should be, from how long messages wait."""

from __future__ import annotations

from dataclasses import dataclass

LOOKS = 2  # in a row that find messages late, before there are more workers
SOON = 60.0  # seconds in which the target may be reached without help: more workers would come too late to matter
FAR = 4.0  # times the target beyond which workers double; below a fourth of it all is calm
SETTLED = 10.0  # seconds that new workers have to begin, before it is asked whether there are enough
QUIET = 60.0  # seconds of calm before there is one worker fewer
LONGEST = 3600.0  # seconds within which a step down that is taken back was wrong, and of calm at most before it is tried again


@dataclass(frozen=True)
class Decision:
    """That there should be more workers, or fewer, and why."""

    workers: int
    reason: str


class Autoscaler:
    """Decides, look by look: quickly upwards, slowly and one at a time downwards.

    A step down that has to be taken back was wrong: before the next one to as few workers, it has to be calm for twice as
    long. Without that, a load between two and three workers would have a third come and go for ever.

    Args:
        least, most: how many workers there are in any case, and at most.
        target: seconds that a message should wait at most.

    Attributes:
        workers: how many there should be.

    """

    def __init__(self, least: int, most: int, target: float) -> None:
        self.workers = least
        self._least, self._most, self._target = least, most, target
        self._late = 0
        self._before: tuple[float, float] | None = None
        self._calm: float | None = None
        self._changed = -LONGEST
        self._down: float | None = None  # when there was last one fewer, and not one more since
        self._quiet: dict[int, float] = {}  # seconds of calm before there are so few workers

    def look(self, lag: float, now: float) -> Decision | None:
        """What follows from the oldest message's having waited for `lag` seconds. None: it is well as it is.

        Args:
            now: seconds of a clock that only goes forward.

        """
        before, self._before = self._before, (lag, now)
        late, calm = lag > self._target and not self._falls(lag, now, before), lag < self._target / FAR
        self._late = self._late + 1 if late and now - self._changed >= SETTLED else 0
        self._calm = (now if self._calm is None else self._calm) if calm else None
        if self._late >= LOOKS and self.workers < self._most:
            return self._more(lag, now)
        if self._calm is not None and now - self._calm >= self._patience and self.workers > self._least:
            return self._fewer(now)
        return None

    @property
    def _patience(self) -> float:
        return self._quiet.get(self.workers - 1, QUIET)

    def _falls(self, lag: float, now: float, before: tuple[float, float] | None) -> bool:
        """Whether it falls so fast that the target is reached soon."""
        if before is None or lag >= before[0]:
            return False
        return (lag - self._target) * (now - before[1]) <= SOON * (before[0] - lag)

    def _more(self, lag: float, now: float) -> Decision:
        had = self.workers
        if self._down is not None:
            wrong = now - self._down <= LONGEST
            self._quiet[had] = min(2 * self._quiet.get(had, QUIET), LONGEST) if wrong else QUIET
        self.workers = min(2 * had if lag > FAR * self._target else had + 1, self._most)
        self._late, self._changed, self._down = 0, now, None
        return Decision(self.workers, f"the oldest message waits for {lag:.1f} s, and should for {self._target:g} s at most")

    def _fewer(self, now: float) -> Decision:
        reason = f"for {self._patience:.0f} s none waited for longer than {self._target / FAR:g} s"
        self.workers, self._calm, self._changed, self._down = self.workers - 1, now, now, now
        return Decision(self.workers, reason)
