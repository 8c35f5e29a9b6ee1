"""Kafka's brokers: how they are reached, and what their errors mean. `kafka.py` reads and writes their topics."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from cauce.errors import AccessDenied, BrokerGone, CauceError, FileMissing, InputError, nearest
from cauce.stream.patience import Patience
from cauce.stream.schemes import Opening, Place

T = TypeVar("T")
LOG = logging.getLogger("cauce.kafka")  # what the library has to say; nobody has to listen
LOG.addHandler(logging.NullHandler())

SECURITY = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
OPTIONS = ("security", "mechanism", "ca")  # of an address
READER = {"auto.offset.reset": "earliest", "enable.auto.commit": False, "enable.auto.offset.store": False}
ASKED = 3.0  # seconds that brokers have for an answer, before they count as gone
MADE = 2.0  # seconds that brokers have to make a topic, where they do so by themselves

DENIED = (
    KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.UNSUPPORTED_SASL_MECHANISM,
    KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED,
)  # fmt: skip
MISSING = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)
WRONG = {
    KafkaError.TOPIC_EXCEPTION: "a topic's name has letters, digits, dots, underscores and dashes",
    KafkaError.MSG_SIZE_TOO_LARGE: "raise max.message.bytes of the topic to 1000000 or more",
    KafkaError.INVALID_SESSION_TIMEOUT: "set takeover to what the brokers allow: usually 6 to 1800 seconds",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: "others of that group share partitions in another way: name another --group",
    KafkaError.POLICY_VIOLATION: "ask whoever runs the brokers",
}


class Cluster:
    """Kafka's brokers, which may be gone for a while.

    Args:
        place: `kafka://[user:password@]host[:port][,host[:port]…]/topic`, with its options.

    Attributes:
        config: what every client of it needs.

    Raises:
        InputError: the address cannot be used.

    """

    def __init__(self, place: Place, patience: Patience) -> None:
        self.patience = patience
        self.name = _hosts(place.url.netloc.rpartition("@")[2])
        self.config: dict[str, Any] = {
            "bootstrap.servers": self.name,
            "client.id": "cauce",
            "error_cb": self.hear,
            "logger": LOG,
            **_security(place),
        }
        self._heard: KafkaError | None = None
        self._admin: AdminClient = self.client(AdminClient, {})

    def client(self, kind: Callable[[dict[str, Any]], T], config: dict[str, Any]) -> T:
        """A client of these brokers; it is not connected yet."""
        try:
            return kind(self.config | config)
        except KafkaException as error:
            raise InputError(f"cannot read Kafka at {self.name}: {error.args[0].str()}", hint="check the address") from None

    def __call__(self, call: Callable[[], T]) -> T:
        """What a call returns; waits where the brokers are gone."""
        return self.patience(lambda: self._translated(call))

    def hear(self, error: KafkaError) -> None:
        """Remember what a client says by itself: why a call failed is told by this alone."""
        if self._heard is None or error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._heard = error

    def check(self, topic: str) -> None:
        """Wait until the brokers are there, where something was heard of them."""
        if self._heard is not None:
            self.partitions(topic)

    def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic. It is made, where the brokers make topics by themselves."""
        until = time.monotonic() + MADE
        while True:
            found = self(lambda: self._admin.list_topics(topic, timeout=ASKED)).topics[topic]
            if found.error is None:
                return sorted(found.partitions)
            if found.error.code() not in (KafkaError.LEADER_NOT_AVAILABLE, *MISSING) or time.monotonic() > until:
                raise self.error(found.error, topic)
            time.sleep(0.1)

    def span(self, reader: Consumer, topic: str, partition: int) -> tuple[int, int]:
        """The offset of the first message of a partition, and the one behind its last."""
        return self(lambda: reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=ASKED))

    def workers(self, group: str) -> int:
        """How many belong to a group; 0 where the brokers do not say."""
        try:
            return len(self._admin.describe_consumer_groups([group], request_timeout=ASKED)[group].result().members)
        except KafkaException:
            return 0

    def error(self, error: KafkaError, topic: str = "") -> CauceError:
        """An error of Kafka's as one of ours."""
        if self._heard is not None and self._heard.code() in DENIED:
            error = self._heard
        code, said, of = error.code(), error.str(), f", topic {topic}" * bool(topic)
        if code in DENIED:
            hint = "write user and password: kafka://user:password@host/topic; or have the rights given to them"
            return AccessDenied(f"Kafka at {self.name} refuses{of}: {said}", hint=hint)
        if code in MISSING:
            return InputError(f"there is no topic {topic} in Kafka at {self.name}", hint="make it, or mend its name")
        if code in WRONG:
            return InputError(f"Kafka at {self.name} refuses{of}: {said}", hint=WRONG[code])
        why = said if self._heard is None else self._heard.str()
        return BrokerGone(f"Kafka at {self.name} cannot be used{of}: {why}", hint="start it, or wait longer with --wait")

    def _translated(self, call: Callable[[], T]) -> T:
        try:
            result = call()
        except KafkaException as error:
            self._admin.poll(0)  # it hears why
            raise self.error(error.args[0]) from None
        self._heard = None
        return result


def cluster_of(place: Place, opening: Opening) -> Cluster:
    """The cluster of a place; those opened together share it."""
    name = place.url._replace(path="").geturl()
    if name not in opening.shared:
        opening.shared[name] = Cluster(place, opening.patience)
    cluster: Cluster = opening.shared[name]
    return cluster


def _security(place: Place) -> dict[str, str]:
    """The part of the configuration that says who asks, and how it is encrypted."""
    url, options = place.url, place.options
    security = options.get("security", "plaintext" if url.username is None else "sasl_ssl")
    if security not in SECURITY:
        hint = nearest(security, SECURITY) or f"there are: {', '.join(SECURITY)}"
        raise InputError(f'kafka: knows no security "{security}"', hint=hint)
    if security.startswith("sasl") != (url.username is not None):
        what = "needs user and password" if url.username is None else "would send user and password to nobody"
        raise InputError(
            f"kafka: security={security} {what}", hint="write kafka://user:password@host/topic, or another security="
        )
    config = {"security.protocol": security}
    if url.username is not None:
        mechanism = options.get("mechanism", "PLAIN")
        config |= {
            "sasl.mechanism": mechanism,
            "sasl.username": unquote(url.username),
            "sasl.password": unquote(url.password or ""),
        }
    if "ca" in options:
        if not Path(options["ca"]).exists():
            raise FileMissing(f"there is no file {options['ca']}", hint="ca= names the certificates that brokers are known by")
        config["ssl.ca.location"] = options["ca"]
    return config


def _hosts(text: str) -> str:
    """The hosts of an address."""
    try:
        for one in text.split(","):
            _ = urlsplit(f"//{one}").port
    except ValueError as error:
        raise InputError(f"cannot read the address: {error}", hint="write it as kafka://host:9092/topic") from None
    return text or "localhost"
