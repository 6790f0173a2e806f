"""Servers that are read and written: Prometheus, a Pushgateway, Elasticsearch."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from costlab.config.section import Count, Duration, Number, Section, Variable, Where, anchored

WAYS_IN = ("bearer_token_file", "token_command", "basic_auth", "sigv4")


class Engine(StrEnum):
    """How samples are read out of Prometheus."""

    AUTO = "auto"
    REMOTE_READ = "remote-read"
    JSON = "json"
    VICTORIA_EXPORT = "victoria-export"


class BasicAuth(Section):
    """A user name, and the file that holds the password."""

    username: str
    password_file: Where


class SigV4(Section):
    """Amazon's request signing; without a profile, credentials are looked for where Amazon's own tools look."""

    region: Annotated[str, Field(min_length=1)]
    profile: str | None = None
    service: Annotated[str, Field(min_length=1)] = "aps"


class Prometheus(Section):
    """Where a cluster's metrics are, and how to ask for them.

    timeout: seconds for one request; signal_timeout: for all requests of one signal of a day, pauses included.
    max_series: in one answer; more are a mistake in the matchers or in an exporter.
    token_command: the program and its arguments; what it prints is the bearer token.
    settle: how long after a day's end its samples may still come; before, the day is not measured.
    """

    url: str
    matchers: Mapping[str, str] = {}
    replica_labels: tuple[str, ...] = ("prometheus_replica",)
    engine: Engine = Engine.AUTO
    max_in_flight: Annotated[Count, Field(ge=1, le=16)] = 2
    timeout: Annotated[Number, Field(gt=0, le=3600)] = 120.0
    signal_timeout: Annotated[Number, Field(gt=0, le=86400)] = 1800.0
    max_series: Annotated[Count, Field(ge=1)] = 500_000
    settle_ms: Annotated[Duration, Field(alias="settle")] = 3_600_000
    headers: Mapping[str, SecretStr] = {}
    bearer_token_file: Where | None = None
    token_command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    basic_auth: BasicAuth | None = None
    sigv4: SigV4 | None = None
    ca_file: Where | None = None
    client_cert: Where | None = None
    client_key: Where | None = None

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        return plain_address(
            url,
            "http://prometheus:9090",
            ": use basic_auth or bearer_token_file",
            ": use matchers and headers",
        )

    @field_validator("token_command")
    @classmethod
    def _is_found(cls, command: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if command is None or "/" not in command[0]:  # a bare name is looked for on the PATH
            return command
        return str(anchored(Path(command[0]), info)), *command[1:]

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = [way for way in WAYS_IN if getattr(self, way)]
        ways += [f"headers.{name}" for name in self.headers if name.lower() == "authorization"]
        if len(ways) > 1:
            named = f"{', '.join(ways[:-1])} and {ways[-1]}"
            raise PydanticCustomError("auth", "takes one way to authenticate, not {ways}", {"ways": named})
        if self.client_key and not self.client_cert:
            raise PydanticCustomError("auth", "has a client_key without client_cert")
        return self


class Metrics(Section):
    """Where a night leaves its metrics: a file of the node exporter's textfile collector, a Pushgateway, or both."""

    textfile: Where | None = None
    pushgateway: str | None = None

    @field_validator("textfile")
    @classmethod
    def _is_read(cls, path: Path | None) -> Path | None:
        if path is not None and path.suffix != ".prom":
            raise PydanticCustomError("textfile", "must end with .prom: the collector reads no other files")
        return path

    @field_validator("pushgateway")
    @classmethod
    def _is_plain(cls, url: str | None) -> str | None:
        return url and plain_address(url, "http://pushgateway:9091")


class Elasticsearch(Section):
    """Where a night's documents go: an Elasticsearch or OpenSearch, and what the names of their indices begin with.

    api_key_env, api_key_file: where an API key is, as base64; basic_auth: a user, which OpenSearch takes.
    """

    url: str
    index: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")] = "costlab"
    api_key_env: Variable | None = None
    api_key_file: Where | None = None
    basic_auth: BasicAuth | None = None
    ca_file: Where | None = None

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        return plain_address(url, "https://elasticsearch:9200", ": use api_key_file or basic_auth")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = ("api_key_env", "api_key_file", "basic_auth")
        if sum(getattr(self, way) is not None for way in ways) > 1:
            raise PydanticCustomError("auth", "takes one of api_key_env, api_key_file and basic_auth")
        if (self.api_key_env or "").startswith("COSTLAB_"):
            raise PydanticCustomError("auth", "names a variable COSTLAB_…, which would be a setting")
        return self


def plain_address(url: str, example: str, instead_of_password: str = "", instead_of_query: str = "") -> str:
    """The address without a slash at its end; raises PydanticCustomError, which says what to use instead."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an IPv6 address, a port that is no number
        parts, usable = urlsplit(""), False
    told = {"example": example, "password": instead_of_password, "query": instead_of_query}
    if not usable:
        raise PydanticCustomError("url", "must be an address such as {example}", told)
    if "@" in parts.netloc:
        raise PydanticCustomError("url", "must not hold a password{password}", told)
    if parts.query or parts.fragment:
        raise PydanticCustomError("url", "must end before ? and #{query}", told)
    return url.rstrip("/")
