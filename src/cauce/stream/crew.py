"""Several worker processes: started, watched, started again where they die, and told to end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from cauce.errors import CauceError
from cauce.stream.process import Process, total
from cauce.stream.worker import Counts

TURN = 0.1  # seconds between two looks at the processes
FIRST, LONGEST = 0.5, 30.0  # seconds before a worker that died is started again
STEADY = 60.0  # seconds after which one that died is as good as new
AT_ONCE = 2.0  # seconds that those have who were told twice
ENDED, WITH_LETTERS = 0, 5  # exit codes of a worker whose source ended
AGAIN = 4  # exit code of one that left something undone: the same command goes on with it
FINAL = (2, 3, AGAIN)  # exit codes after which the others end too: starting it again at once mends nothing
WORST = (3, 2, AGAIN)  # which exit code tells most, where workers differ


@dataclass
class _Slot:
    """A worker's place, which several processes have, one after the other.

    Attributes:
        deaths: of it in a row.
        read: messages that all had read when the first of these happened.
        leaves: whether its process was told to end.
        done: whether its source ended.

    """

    process: Process | None = None
    started: float = 0.0
    next_start: float = 0.0
    deaths: int = 0
    read: int = 0
    leaves: bool = False
    done: bool = False


class Crew:
    """Keeps so many workers running.

    The first is started alone, and the others once it works: what is wrong with an address is said once.

    Args:
        start: starts the worker of a number, from 1 on.
        deaths: in a row, of one worker, while none read a message: then it is given up.
        tell: told who died, and who is started again.

    Attributes:
        wanted: how many workers; may be changed while they run, from any thread.
        watch: called at each turn.

    """

    def __init__(self, start: Callable[[int], Process], wanted: int, deaths: int, tell: Callable[[str], None]) -> None:
        self._start, self.wanted, self._most, self._tell = start, wanted, deaths, tell
        self._slots: dict[int, _Slot] = {}
        self._past, self._codes, self._unfinished = Counts(), set[int](), False
        self.watch: Callable[[], None] = lambda: None

    @property
    def counts(self) -> Counts:
        """What all have counted, those too that are gone."""
        return total([self._past, *(one.counts for one in self._processes())])

    @property
    def running(self) -> int:
        """How many have begun to work."""
        return sum(one.ready for one in self._processes())

    def run(self, told: Callable[[], bool]) -> int:
        """Work until all sources ended, or it is `told` to end and all have ended in good order. Returns an exit code.

        Raises:
            CauceError: a worker dies again and again.
            KeyboardInterrupt: it was told to end at once, and all have.

        """
        try:
            while not told() and not self._over():
                self._turn()
            self._unfinished = False
            for slot in self._slots.values():
                self._leave(slot)
            while self._processes():
                self._turn(start=False)
        except BaseException:
            self._end_at_once()
            raise
        codes = self._codes | {AGAIN} if self._unfinished else self._codes
        return next((code for code in WORST if code in codes), max(codes, default=ENDED))

    def _processes(self) -> list[Process]:
        return [slot.process for slot in list(self._slots.values()) if slot.process is not None]

    def _over(self) -> bool:
        """Whether there is nothing left to do, or nothing that could be done."""
        done = bool(self._slots) and all(slot.done for slot in self._slots.values())
        return done or not self._codes.isdisjoint(FINAL)

    def _turn(self, *, start: bool = True) -> None:
        for number, slot in list(self._slots.items()):
            if slot.process is not None and (code := slot.process.code()) is not None:
                self._ended(number, slot, slot.process, code)
        if start:
            for number in range(1, self.wanted + 1):
                slot = self._slots.setdefault(number, _Slot())
                if self._may_start(slot):
                    slot.process, slot.started, slot.leaves = self._start(number), time.monotonic(), False
            for number, slot in self._slots.items():
                if number > self.wanted:
                    self._leave(slot)
        self.watch()
        time.sleep(TURN)  # no event is waited for: a signal that came while its lock is held would wait for ever

    def _may_start(self, slot: _Slot) -> bool:
        alone = not self._processes() or self.running > 0
        return slot.process is None and not slot.done and time.monotonic() >= slot.next_start and alone

    def _leave(self, slot: _Slot) -> None:
        if slot.process is not None and not slot.leaves:
            slot.leaves = True
            slot.process.end()

    def _ended(self, number: int, slot: _Slot, process: Process, code: int) -> None:
        """Take a process off that has ended; the next turn starts another in its place, where there should be one."""
        lived = time.monotonic() - slot.started
        slot.process, self._past = None, total([self._past, process.counts])
        if slot.leaves:
            if code != ENDED and process.ready:  # one that was not held nothing
                self._tell(f"worker {number} {_how(code)} as it was told to end: what it held is given out again")
                self._unfinished = True
        elif code in FINAL:
            self._codes.add(code)
        elif code in (ENDED, WITH_LETTERS) and not process.told:
            self._codes.add(code)
            slot.done = True
        else:
            self._died(number, slot, lived, _how(code))

    def _died(self, number: int, slot: _Slot, lived: float, how: str) -> None:
        if lived >= STEADY or not slot.deaths:
            slot.deaths, slot.read = 0, self.counts.read
        slot.deaths += 1
        if slot.deaths >= self._most and self.counts.read == slot.read:
            raise CauceError(
                f"worker {number} {how}, {slot.deaths} times in a row, and nothing was answered between",
                hint="see what it said above; what it held is given out again by the next worker",
            )
        pause = min(FIRST * 2.0 ** (slot.deaths - 1), LONGEST)
        slot.next_start = time.monotonic() + pause
        self._tell(f"worker {number} {how}: it is started again in {pause:g} s")

    def _end_at_once(self) -> None:
        """All that are left: those who do not go when they are told twice are killed."""
        for process in self._processes():
            process.end_at_once()
        until = time.monotonic() + AT_ONCE
        while any(one.code() is None for one in self._processes()) and time.monotonic() < until:
            time.sleep(TURN)
        for process in self._processes():
            process.kill()


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
