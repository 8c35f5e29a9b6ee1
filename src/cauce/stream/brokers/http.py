"""`http://`: messages that others send us by POST. Who gets 200 knows that the results of what it sent are written.

Nothing is kept on a disk here: whoever gets an error or no answer sends the same again, and where its messages have an `id`,
each is answered once.
"""

from __future__ import annotations

import errno
import secrets
import socket
import threading
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import uvicorn

from cauce.connection import Connection
from cauce.errors import InputError, InUse
from cauce.stream.brokers.inbox import Inbox
from cauce.stream.brokers.receiver import Receiver
from cauce.stream.deliveries import Deliveries
from cauce.stream.schemes import Opening, Place, Scheme

FORM = "http://127.0.0.1:9000/messages"
MOST = 100_000  # messages that may wait, or be in one request
DRAIN = 5  # seconds that connections have to end


class HttpSource:
    """Takes messages by POST.

    Args:
        sockets: they listen.
        path: where messages are taken; it is in their keys.
        token: what a sender has to know; None: nothing.
        room: bytes of messages that may wait, or be in one request.

    """

    ended = False

    def __init__(self, sockets: Sequence[socket.socket], path: str, token: str | None, room: int) -> None:
        self.port: int = sockets[0].getsockname()[1]
        self._name, self._start = f"http:{path}", secrets.token_hex(16)
        self._inbox = Inbox(MOST)
        receiver = Receiver(f"/{path}", self._inbox, token, most_bytes=room, most=MOST)
        config = uvicorn.Config(
            receiver,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=DRAIN,
        )
        self._server = _Server(config, receiver)
        self._thread = threading.Thread(target=self._server.run, args=[list(sockets)], name="cauce-stream-http", daemon=True)
        self._thread.start()

    def fetch(self, most: int, room: int, wait: float) -> Deliveries | None:
        """What came."""
        first, given = self._inbox.take(most, room, wait)
        if not given:
            return None
        data, received = zip(*given, strict=True)
        places = [f"{self._start}-{number}" for number in range(first, first + len(given))]
        return Deliveries.of(self._name, data, places, received=received)

    def acknowledge(self, places: Sequence[str]) -> None:
        """Answer those all of whose messages are done."""
        self._inbox.done(int(places[-1].rpartition("-")[2]))

    def close(self) -> None:
        """Listen no more; who has no answer yet is told to send it again."""
        self._server.should_exit = True
        self._thread.join()


class _Server(uvicorn.Server):
    """uvicorn's server, which refuses what is left before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, receiver: Receiver) -> None:
        super().__init__(config)
        self._receiver = receiver

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Refuse, then close."""
        self._receiver.close()
        await super().shutdown(sockets)


def _source(place: Place, opening: Opening) -> HttpSource:
    secret, settings = opening.settings.http_token, opening.settings
    token = None if secret is None else secret.get_secret_value()
    return HttpSource(_listen(place, open_to_all=token is not None), place.path, token, settings.max_bytes)


def _listen(place: Place, *, open_to_all: bool) -> list[socket.socket]:
    """Sockets that listen at all addresses of the host.

    Raises:
        InUse: somebody else listens there.
        InputError: there is no such host or port, or strangers could reach it.

    """
    host, port = place.url.hostname or "127.0.0.1", _port(place)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise InputError(f'there is no host "{host}": {error.strerror}', hint="listen on 127.0.0.1, or on 0.0.0.0") from None
    if not open_to_all and not all(ip_address(str(one[4][0]).partition("%")[0]).is_loopback for one in found):
        hint = "set CAUCE_STREAM_HTTP_TOKEN to a long secret, or listen on 127.0.0.1"
        raise InputError(f"at {host} anybody who reaches this machine could send messages", hint=hint)
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            sockets.append(socket.create_server((address[0], port, *address[2:]), family=family))
            port = sockets[0].getsockname()[1]  # the same one for all, where any would do
    except OSError as error:
        for one in sockets:
            one.close()
        if error.errno == errno.EADDRINUSE:
            raise InUse(f"port {port} of {host} is taken", hint="stop who has it, or name another") from None
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot listen on {host}, port {port}: {reason}", hint=f"write it as {FORM}") from None
    return sockets


def _port(place: Place) -> int:
    try:
        port = place.url.port
    except ValueError as error:
        raise InputError(f"cannot read the address: {error}", hint=f"write it as {FORM}") from None
    if port is None:
        raise InputError("the address has no port to listen on", hint=f"write it as {FORM}")
    return port


SCHEME = Scheme(FORM, source=_source, one_reader="one process listens at an address")
