"""What `cauce stream autoscale` does: workers come and go with how long messages wait."""

from __future__ import annotations

import threading
import time
from typing import Any

from cauce.cli import show
from cauce.cli.stream_run import crew_of, together
from cauce.errors import BadSetting, CauceError, InputError, Unavailable
from cauce.settings import Stream
from cauce.stream import places, schemes
from cauce.stream.autoscale import Autoscaler
from cauce.stream.crew import Crew
from cauce.stream.patience import Patience
from cauce.stream.schemes import Opening
from cauce.text.threads import available

LOOK = 3.0  # seconds between two looks


def scaled(settings: Stream, given: dict[str, Any], least: int, most: int | None, target: float) -> None:
    """Answer in as many processes as keep messages from waiting for longer than `target` seconds.

    Raises:
        BadSetting: there are to be fewer at most than at least, or no time to wait.
        InputError: one of the places is for one worker alone, or cannot say how far a group is behind.

    """
    most = max(least, available()) if most is None else most
    if most < least or target <= 0:
        wrong = f"--min {least} --max {most} --target-lag {target:g}s cannot be"
        raise BadSetting(wrong, hint="write --min 1 --max 4 --target-lag 5s")
    crew, scaler = crew_of(settings, given, least, most), Autoscaler(least, most, target)
    if schemes.of(settings.from_).groups is None:
        raise InputError("nobody can say how long messages wait there", hint="use --workers, or a broker such as redis://")
    together(settings, crew, lambda stop: _scale(settings, crew, scaler, stop))


def _scale(settings: Stream, crew: Crew, scaler: Autoscaler, stop: threading.Event) -> None:
    """Look again and again, and say what follows."""
    opening = Opening(settings, Patience(0.0, lambda line: None, stop))
    told = ""
    while not stop.wait(LOOK):
        if not crew.running:
            continue
        try:
            lag, unknown = _lag(settings, opening), ""
        except CauceError as error:
            unknown = error.message
        if unknown != told:
            show.note(f"{unknown}: there are {crew.wanted} workers until it is known" if unknown else "it is known again")
        told = unknown
        if not unknown and (decision := scaler.look(lag, time.monotonic())):
            show.note(f"{decision.workers} workers instead of {crew.wanted}: {decision.reason}")
            crew.wanted = decision.workers


def _lag(settings: Stream, opening: Opening) -> float:
    """Seconds that the oldest message of the group has waited for a worker.

    Raises:
        Unavailable: the broker does not say.

    """
    for one in places.groups(settings.from_, opening):
        if one.name == settings.group:
            if one.waiting == 0:
                return 0.0
            if one.waiting_seconds is not None:
                return one.waiting_seconds
    raise Unavailable("nobody can say how long messages wait")
