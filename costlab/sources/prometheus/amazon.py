"""Requests signed as Amazon asks for it (Signature Version 4), by botocore, which comes with the extra `aws`."""

import logging
from importlib import import_module
from types import ModuleType
from typing import Any

import requests
from requests.auth import AuthBase

from costlab.config.servers import SigV4
from costlab.domain.errors import ConfigError, SourceUnavailable

# Only these are signed: a proxy may change any other on the way.
_SIGNED = ("Content-Type",)


class Signed(AuthBase):
    """Signs each request, its body with it, with credentials that botocore finds and renews.

    Raises ConfigError without botocore, without credentials, or for a profile that is not there.
    """

    def __init__(self, settings: SigV4) -> None:
        self._botocore = _botocore()
        self._settings = settings
        self._credentials = self._found(settings.profile)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with its signature."""
        headers = {name: request.headers[name] for name in _SIGNED if name in request.headers}
        to_sign = self._botocore.awsrequest.AWSRequest(
            request.method, request.url, headers=headers, data=request.body
        )
        region, service = self._settings.region, self._settings.service
        self._botocore.auth.SigV4Auth(self._frozen(), service, region).add_auth(to_sign)
        request.headers.update(dict(to_sign.headers.items()))
        return request

    def _found(self, profile: str | None) -> Any:
        faults = self._botocore.exceptions
        try:
            found = self._botocore.session.Session(profile=profile).get_credentials()
        except faults.ProfileNotFound:
            raise ConfigError(
                f"prometheus.sigv4.profile: Amazon's configuration has no profile {profile!r}",
                "see ~/.aws/config, or leave the profile out",
            ) from None
        except (faults.BotoCoreError, faults.ClientError) as fault:
            raise _unusable(fault) from None
        if found is None:
            raise ConfigError(
                "prometheus.sigv4: no Amazon credentials were found",
                "give the service account a role (IRSA), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret",
            )
        return found

    def _frozen(self) -> Any:
        """The credentials of this moment; temporary ones are renewed when they are about to end."""
        faults = self._botocore.exceptions
        try:
            return self._credentials.get_frozen_credentials()
        except (faults.BotoCoreError, faults.ClientError) as fault:
            raise _unusable(fault) from None


def _botocore() -> ModuleType:
    """The package with the modules that are used here."""
    try:
        for name in ("auth", "awsrequest", "exceptions", "session"):
            import_module(f"botocore.{name}")
        package = import_module("botocore")
    except ImportError:
        raise ConfigError("prometheus.sigv4 needs the package botocore", "pip install costlab[aws]") from None
    # At DEBUG it writes the session's token and answers with credentials into the log.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    return package


def _unusable(fault: Exception) -> SourceUnavailable:
    """Its kind alone is told: its words may hold what a credential process printed."""
    return SourceUnavailable(
        f"prometheus.sigv4: Amazon's credentials cannot be used: {type(fault).__name__}",
        "try them by hand as this user: aws sts get-caller-identity",
    )
