"""What of JetStream holds a subject, a stream, and who reads it together, a consumer: found, or made where there is none."""

from __future__ import annotations

import time
from base64 import b64decode
from datetime import datetime
from typing import Any

from cauce.errors import InputError
from cauce.settings import Stream
from cauce.stream.brokers.nats_client import Connection
from cauce.stream.schemes import Group, Place

FORM = "nats://host:4222/subject"
NO_STREAM, NO_CONSUMER, NO_MESSAGE, NAME_TAKEN, OVERLAPS = 10059, 10014, 10037, 10058, 10065  # JetStream's errors
SECOND = 1_000_000_000  # as JetStream counts time
LOOKED_AT = 100  # messages that are looked at in one go
NOT_IN_NAMES = set(" .*>/\\\r\n\t")


def subject_of(place: Place, *, written: bool) -> str:
    """The subject that an address names.

    Raises:
        InputError: NATS has no such subject, or one that is written has a `*` or `>`.

    """
    tokens = place.path.split(".")
    odd = any(not one.isprintable() or " " in one or (set(one) & set("*>") and len(one) > 1) for one in tokens)
    if odd or "" in tokens or ">" in tokens[:-1] or tokens[0].startswith(("$", "_INBOX")):
        raise InputError(f'"{place.path}" is no subject of messages', hint=f"write it as {FORM}")
    if written and set(place.path) & set("*>"):
        raise InputError(f"{place.path} is many subjects", hint="results go to one: name it without * and >")
    if set(place.options.get("stream", "")) & NOT_IN_NAMES:
        raise InputError(f'"{place.options["stream"]}" is no name of a stream', hint="use letters, digits, - and _")
    return place.path


def covers(pattern: str, subject: str) -> bool:
    """Whether a subject is one of those that a pattern with `*` and `>` stands for."""
    parts, tokens = pattern.split("."), subject.split(".")
    longer = parts[-1] == ">" and len(tokens) >= len(parts)
    if longer:
        parts.pop()
    return (longer or len(parts) == len(tokens)) and all(
        part in ("*", token) for part, token in zip(parts, tokens, strict=False)
    )


def stream_of(connection: Connection, subject: str, name: str, settings: Stream) -> dict[str, Any]:
    """The settings of the stream that holds a subject; it is made where there is none.

    Args:
        name: its name, where it was given.

    Raises:
        InputError: there are several, or it cannot be made.

    """
    if found := _info(connection, subject, name):
        return dict(found["config"])
    if set(subject) & set("*>"):
        raise InputError(f"no stream of the NATS at {connection.name} holds {subject}", hint="make it: nats stream add")
    made = name or "".join("_" if one in "./\\" else one for one in subject)
    ask = {
        "name": made,
        "subjects": [subject],
        "retention": "limits",
        "storage": "file",
        "num_replicas": 1,
        "duplicate_window": settings.remember * SECOND,
    }
    if answer := connection.request(f"STREAM.CREATE.{made}", ask, unless=(NAME_TAKEN, OVERLAPS)):
        return dict(answer["config"])
    if found := _info(connection, subject, name):  # another worker was faster
        return dict(found["config"])
    raise InputError(f"the stream {made} is there already, with other subjects", hint="name another: ?stream=NAME")


def join(connection: Connection, stream: dict[str, Any], subject: str, settings: Stream) -> None:
    """Make the group of a subject, where there is none, and have it as the settings say.

    Args:
        stream: the settings of the stream that holds the subject.

    Raises:
        InputError: the group is there, for something else.

    """
    group = settings.group
    if set(group) & NOT_IN_NAMES:
        raise InputError(f'NATS takes no group "{group}"', hint="use letters, digits, - and _")
    found = connection.request(f"CONSUMER.INFO.{stream['name']}.{group}", {}, unless=(NO_CONSUMER,))
    known: dict[str, Any] = {"durable_name": group, "ack_policy": "explicit", "deliver_policy": "all"}
    if found is None:
        known["filter_subject"] = subject
    else:
        known = found["config"]
        _check(known, stream, subject)
    wanted = {"ack_wait": int(settings.takeover * SECOND), "max_deliver": -1, "max_ack_pending": -1}
    if any(known.get(name) != value for name, value in wanted.items()):
        ask = {"stream_name": stream["name"], "config": known | wanted}
        connection.request(f"CONSUMER.DURABLE.CREATE.{stream['name']}.{group}", ask)


def groups_of(connection: Connection, subject: str, name: str) -> list[Group]:
    """Who reads a subject, and how far they are.

    Args:
        name: that of its stream, where it was given.

    Raises:
        InputError: there is no stream of it.

    """
    info = _info(connection, subject, name)
    if info is None:
        raise InputError(
            f"the NATS at {connection.name} has no stream of {subject}", hint="the first worker or message makes it"
        )
    stream, groups = info["config"]["name"], list[Group]()
    answer = connection.request(f"CONSUMER.LIST.{stream}", {}) or {}
    for one in answer.get("consumers") or ():
        if one["config"].get("filter_subject", subject) == subject and "durable_name" in one["config"]:
            ask = {"seq": one["delivered"]["stream_seq"] + 1, "next_by_subj": subject}
            first = connection.request(f"STREAM.MSG.GET.{stream}", ask, unless=(NO_MESSAGE,))
            since = datetime.fromisoformat(first["message"]["time"]).timestamp() if first else 0.0
            seconds = round(time.time() - since, 3) if first else None
            groups.append(Group(one["name"], one["num_pending"], seconds, one["num_ack_pending"]))
    return groups


def messages_of(connection: Connection, subject: str, name: str, at: int) -> tuple[int, list[bytes]]:
    """Some messages of a subject, given to nobody by that, and where the next ones begin.

    Args:
        name: that of its stream, where it was given.
        at: where they begin, from 1 on; below 1: so many before the end.

    """
    info = _info(connection, subject, name)
    if info is None:
        return 1, []
    end = int(info["state"]["last_seq"]) + 1
    if not 1 <= at <= end:  # beyond the end: the stream was deleted, and made again
        at = max(end + at, 1) if at < 1 else 1
    found: list[bytes] = []
    while len(found) < LOOKED_AT:
        ask = {"seq": at, "next_by_subj": subject}
        answer = connection.request(f"STREAM.MSG.GET.{info['config']['name']}", ask, unless=(NO_MESSAGE, NO_STREAM))
        if answer is None:
            break
        found.append(b64decode(answer["message"].get("data", "")))
        at = int(answer["message"]["seq"]) + 1
    return at, found


def _info(connection: Connection, subject: str, name: str) -> dict[str, Any] | None:
    """What the server says of the stream that holds a subject."""
    if not name:
        names = (connection.request("STREAM.NAMES", {"subject": subject}) or {}).get("streams") or []
        if len(names) > 1:
            raise InputError(f"{subject} lies in several streams: {', '.join(names)}", hint=f"name one: ?stream={names[0]}")
        if not names:
            return None
        (name,) = names
    return connection.request(f"STREAM.INFO.{name}", {}, unless=(NO_STREAM,))


def _check(consumer: dict[str, Any], stream: dict[str, Any], subject: str) -> None:
    """Whether a consumer that is there can be a group of ours."""
    group, name = consumer.get("durable_name"), stream["name"]
    if consumer.get("ack_policy") != "explicit" or "deliver_subject" in consumer:
        raise InputError(
            f'the consumer "{group}" of the stream {name} is none that pulls and acknowledges each message',
            hint="name another --group",
        )
    alone = stream.get("subjects") == [subject]  # whoever reads all of the stream reads this
    reads = consumer.get("filter_subject", subject if alone else "all of it")
    if reads != subject:
        raise InputError(f'the group "{group}" of the stream {name} reads {reads}', hint="name another --group")
