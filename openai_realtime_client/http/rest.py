"""HTTP on urllib3: bytes out, bytes in."""

from collections.abc import Mapping
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError

from openai_realtime_client.http.configuration import Configuration
from openai_realtime_client.http.errors import ApiConnectionException


@dataclass(frozen=True)
class RESTResponse:
    """An answer as it came."""

    status: int
    reason: str
    headers: Mapping[str, str]
    data: bytes


class RESTClientObject:
    """A pool of connections."""

    def __init__(self, configuration: Configuration) -> None:
        self._timeout = configuration.timeout
        self._retries = configuration.retries
        self._pool = (
            urllib3.ProxyManager(configuration.proxy, ca_certs=configuration.ca_certs)
            if configuration.proxy
            else urllib3.PoolManager(ca_certs=configuration.ca_certs)
        )

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> RESTResponse:
        """Send a request and read the whole answer, whatever its status.

        Raises `ApiConnectionException` where there is no answer, or only part of one.
        """
        try:
            response = self._pool.request(
                method,
                url,
                body=body,
                headers=dict(headers),
                timeout=self._timeout if timeout is None else timeout,
                retries=self._retries,
                redirect=False,
            )
        except HTTPError as error:
            raise ApiConnectionException(f"{method} failed: {type(error).__name__}") from None
        return RESTResponse(
            response.status,
            response.reason or "",
            {name.lower(): value for name, value in response.headers.items()},
            response.data,
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()
