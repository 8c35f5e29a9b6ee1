"""NATS's own client for Python, as threads need it: what belongs together is sent and awaited in one go."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import SplitResult, unquote

import orjson
from nats.aio.client import Client as Nats
from nats.aio.msg import Msg
from nats.errors import AuthorizationError, Error, NoServersError

from cauce.errors import AccessDenied, BrokerGone, CauceError, InputError, StorageFull
from cauce.stream.patience import Patience

T = TypeVar("T")
TIMEOUT = 10.0  # seconds without an answer after which a server is gone
ABSENT = (10039, 10076)  # JetStream's errors for an account or a server without it
FULL = (10002, 10023, 10028, 10047, 10077)  # its errors for a limit of a disk, an account, a stream
CLOSING = 2.0  # seconds for what nats-py does when it closes: after a handshake that failed it waits for ever
START = "start it, or wait longer with --wait"
ID = "Nats-Msg-Id"  # the header by which a stream knows a message again


class Sent(NamedTuple):
    """A message to send.

    Attributes:
        reply: the subject that an answer goes to; empty where none is expected.
        key: by which a stream knows it again; empty for none.

    """

    subject: str
    data: bytes = b""
    reply: str = ""
    key: str = ""


class Address:
    """Where a NATS server is, and who asks.

    Args:
        url: `nats://[user:password@]host[:port]/…`; a user without a password is a token.
        tls: whether the connection is encrypted.

    Raises:
        InputError: the port is none.

    """

    def __init__(self, url: SplitResult, *, tls: bool) -> None:
        try:
            self.name = f"{url.hostname or 'localhost'}:{url.port or 4222}"
        except ValueError as error:
            raise InputError(f"cannot read the address: {error}", hint="write it as nats://host:4222/subject") from None
        self.tls = tls
        self.login: dict[str, Any] = {}
        if url.username and url.password is None:
            self.login = {"token": unquote(url.username)}
        elif url.username:
            self.login = {"user": unquote(url.username), "password": unquote(url.password or "")}


class Connection:
    """A connection, for one thread at a time.

    Attributes:
        inbox: what the subjects that come here begin with.

    Raises:
        AccessDenied: a wrong password.
        BrokerGone: there is no server.
        InputError: it does not encrypt though it must, or its certificate is not good.

    """

    def __init__(self, address: Address) -> None:
        self.name, self.inbox = address.name, f"_INBOX.{secrets.token_hex(11)}"
        self._nats = Nats()
        self._found, self._came = list[Msg](), asyncio.Event()
        self._error: Exception | None = None
        try:
            self._do(self._connect(address))
        except BaseException:
            self.close()
            raise

    @property
    def max_payload(self) -> int:
        """Bytes of the longest message that the server takes."""
        return self._nats.max_payload

    def exchange(self, messages: Sequence[Sent], enough: Callable[[Msg], bool] | None, seconds: float = TIMEOUT) -> list[Msg]:
        """Send messages, and give what comes until one is `enough`, or until nothing came for so many seconds.

        Args:
            enough: None: nothing is awaited.

        Raises:
            AccessDenied, BrokerGone

        """
        return self._do(self._exchange(messages, enough, seconds))

    def request(self, subject: str, ask: dict[str, Any], *, unless: tuple[int, ...] = ()) -> dict[str, Any] | None:
        """What JetStream answers; None where it answers with an error of these numbers.

        Raises:
            InputError: it refuses, or there is no JetStream.
            AccessDenied, BrokerGone, StorageFull

        """
        inbox = f"{self.inbox}.{secrets.token_hex(4)}"
        messages = self.exchange([Sent(f"$JS.API.{subject}", orjson.dumps(ask), inbox)], lambda one: one.subject == inbox)
        if not messages or messages[-1].subject != inbox:
            raise BrokerGone(f"the NATS at {self.name} does not answer", hint=START)
        found = messages[-1]
        answer: dict[str, Any] = orjson.loads(found.data) if found.data else {}
        number = answer.get("error", {}).get("err_code")
        if number in unless:
            return None
        if status(found) or number in ABSENT:
            raise InputError(f"the NATS at {self.name} has no JetStream", hint="start it with: nats-server -js")
        self.check(answer)
        return answer

    def check(self, answer: dict[str, Any]) -> None:
        """Nothing, where it is no error.

        Raises:
            BrokerGone, StorageFull, InputError

        """
        if error := answer.get("error"):
            what = f"the NATS at {self.name} refuses: {error.get('description')}"
            if error.get("err_code") in FULL:
                raise StorageFull(what, hint="raise the limit of the stream or of the server, or delete old messages")
            if error.get("code") == 503:
                raise BrokerGone(what, hint=START)
            raise InputError(what, hint="see the stream's settings: nats stream info")

    @property
    def usable(self) -> bool:
        """Whether the server has not hung up."""
        return self._nats.is_connected

    def close(self) -> None:
        """Hang up."""
        asyncio.run_coroutine_threadsafe(self._close(), _loop()).result(TIMEOUT)

    async def _close(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._nats.close(), CLOSING)
        transport: Any = self._nats._transport
        if transport is not None:  # of a connection that was refused nats-py lets it lie open
            transport.close()

    async def _connect(self, address: Address) -> None:
        tls = ssl.create_default_context()  # for a server that asks for it, too
        await self._nats.connect(
            f"nats://{address.name}",
            name="cauce",
            allow_reconnect=False,
            max_reconnect_attempts=1,  # that of the first connection counts
            reconnect_time_wait=0,
            tls=tls,
            connect_timeout=int(TIMEOUT),
            error_cb=self._failed,
            closed_cb=self._hung_up,
            **address.login,
        )
        if address.tls and not self._nats._server_info.get("tls_required"):  # nats-py would go on in the clear
            raise InputError(f"the NATS at {self.name} does not encrypt", hint="leave out ?tls, or give it a certificate")
        # Without limits: what comes was asked for, and is bounded by that.
        await self._nats.subscribe(f"{self.inbox}.*", cb=self._heard, pending_msgs_limit=0, pending_bytes_limit=0)

    async def _exchange(self, messages: Sequence[Sent], enough: Callable[[Msg], bool] | None, seconds: float) -> list[Msg]:
        for one in messages:
            await self._nats.publish(one.subject, one.data, one.reply, {ID: one.key} if one.key else None)
        given = list[Msg]()
        while enough is not None:
            for message in self._found:
                given.append(message)
                if enough(message):
                    del self._found[: self._found.index(message) + 1]
                    return given
            self._found.clear()
            if self._error is not None:
                raise self._error
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), seconds)
            except TimeoutError:
                return given
        return given

    async def _heard(self, message: Msg) -> None:
        self._found.append(message)
        self._came.set()

    async def _failed(self, error: Exception) -> None:
        self._error = error
        self._came.set()

    async def _hung_up(self) -> None:
        self._error = self._error or ConnectionResetError("the server has hung up")
        self._came.set()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work gives, done in the loop of all connections."""
        try:
            return asyncio.run_coroutine_threadsafe(work, _loop()).result()
        except ssl.SSLCertVerificationError as error:
            raise InputError(
                f"the certificate of the NATS at {self.name} is not good: {error.verify_message}",
                hint="name the file of its authority: SSL_CERT_FILE=ca.pem",
            ) from None
        except (Error, OSError, TimeoutError) as error:
            raise self._known(error) from error

    def _known(self, error: Exception) -> CauceError:
        cause = self._error if isinstance(error, NoServersError) and self._error else error
        told = str(cause) or type(cause).__name__
        if isinstance(cause, AuthorizationError) or "authoriz" in told.lower() or "authentic" in told.lower():
            hint = "write user and password, or a token: nats://user:password@host/subject"
            return AccessDenied(f"the NATS at {self.name} refuses: {told}", hint=hint)
        if "permissions" in told.lower():
            return AccessDenied(f"the NATS at {self.name} refuses: {told}", hint="ask for the right to do so")
        return BrokerGone(f"the NATS at {self.name} cannot be used: {told}", hint=START)


class Client:
    """A connection that is made when it is first used, and again where it was lost. Several threads may use it, in turn."""

    def __init__(self, address: Address, patience: Patience) -> None:
        self.address, self._patience = address, patience
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._closed = False

    def __call__(self, work: Callable[[Connection], T]) -> T:
        """What `work` makes of the connection. It may be done twice: what it got or sent may have been lost.

        Raises:
            BrokerGone: the server did not come back in time.
            whatever `work` raises.

        """
        with self._lock:
            return self._patience(lambda: self._tried(work))

    def once(self, work: Callable[[Connection], T]) -> T:
        """The same, without waiting for a server that is gone."""
        with self._lock:
            return self._tried(work)

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._closed = True
            self._drop()

    def _tried(self, work: Callable[[Connection], T]) -> T:
        if self._closed:
            raise BrokerGone(f"the connection to the NATS at {self.address.name} is closed")
        if self._connection is not None and not self._connection.usable:
            self._drop()
        self._connection = self._connection or Connection(self.address)
        try:
            return work(self._connection)
        except BaseException:
            self._drop()  # what comes now would be an answer to what nobody asks any more
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop of all connections, in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="cauce-nats", daemon=True).start()
    return loop


def status(message: Msg) -> int:
    """What the server says with a message that nobody wrote, such as 404; else 0."""
    return int((message.headers or {}).get("Status", 0))
