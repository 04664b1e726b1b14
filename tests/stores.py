"""An S3 store on the loopback address that counts what is asked of it and fails when told to, for tests.

    from stores import Store, serving

    @pytest.fixture
    def store(monkeypatch) -> Iterator[Store]:
        yield from serving(monkeypatch)

    def test_it(store):
        store.put("photos/a.png", data)
        place(f"{store.url}/photos/a.png").read_bytes()
        assert store.counts() == {"GET": 1}

Where it is and its keys are in the environment: processes that the test starts reach it as well.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import Client
from werkzeug.wrappers import Response

from pipeline.files import objectsystems

BUCKET = "maps"
_PIECE = 1 << 16  # bytes that are sent at once: what nobody reads any more is not counted
STRAIGHT = {"Authorization": "AWS4-HMAC-SHA256 Credential=none/20300101/us-east-1/s3/aws4_request"}


@dataclass
class Asked:
    """One request, and what it came to.

    range, status, sent : the header's words; 0 until it is answered; bytes of the body that were sent
    """

    method: str
    key: str
    query: str
    range: str
    headers: dict[str, str] = field(repr=False)
    status: int = 0
    sent: int = 0


Fault = Callable[[Asked], Response | None]
"""What precedes an answer: gives another answer, or does something (waits, changes an object) and None."""


class Store:
    """A server with one bucket; `put`, `get`, `remove`, `keys` go past the counting and the faults.

    asked : the requests, in the order in which they came. most_at_once : so many were under way together.
    """

    url = f"s3://{BUCKET}"

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.fault: Fault = lambda asked: None
        self.most_at_once = 0
        self._at_work: set[int] = set()
        self._app = DomainDispatcherApplication(create_backend_app)
        self._client = Client(self._app, Response)
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=_Quiet)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._client.post("/moto-api/reset")
        self._straight("PUT", "")

    @property
    def endpoint(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def sent(self) -> int:
        """Bytes of bodies that were sent."""
        return sum(asked.sent for asked in self.asked)

    def counts(self) -> Counter[str]:
        """How often each method was asked for; a GET of the bucket is a LIST."""
        listed = ("LIST" if one.method == "GET" and not one.key else one.method for one in self.asked)
        return Counter(listed)

    def forget(self) -> None:
        """Count anew."""
        self.asked = []

    def put(self, key: str, data: bytes) -> None:
        """Replace an object."""
        self._straight("PUT", key, data)

    def plant(self, root: Path, prefix: str = "") -> None:
        """Put all files below a folder."""
        for path in sorted(root.rglob("*")):
            if path.is_file():
                self.put(prefix + path.relative_to(root).as_posix(), path.read_bytes())

    def get(self, key: str) -> bytes:
        """An object's bytes; KeyError if it is not there."""
        response = self._client.get(f"/{BUCKET}/{key}", headers=STRAIGHT)
        if response.status_code == 404:
            raise KeyError(key)
        return response.get_data()

    def content_type(self, key: str) -> str:
        """What the store tells of an object's content."""
        return self._client.get(f"/{BUCKET}/{key}", headers=STRAIGHT).headers["Content-Type"]

    def remove(self, key: str) -> None:
        """Remove an object."""
        self._straight("DELETE", key)

    def keys(self, prefix: str = "") -> list[str]:
        """The names of all objects that begin so, sorted."""
        from moto.s3.models import s3_backends

        found = s3_backends["123456789012"]["aws"].buckets[BUCKET].keys
        return sorted(key for key in found if key.startswith(prefix))

    def contents(self, prefix: str = "") -> dict[str, bytes]:
        """All objects that begin so."""
        return {key: self.get(key) for key in self.keys(prefix)}

    def _straight(self, method: str, key: str, data: bytes = b"") -> None:
        response = self._client.open(f"/{BUCKET}/{key}", method=method, data=data, headers=STRAIGHT)
        assert response.status_code < 300, response.get_data()

    def _serve(self, environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        _, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
        headers = {
            name.removeprefix("HTTP_").lower().replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        asked = Asked(
            environ["REQUEST_METHOD"], key, environ["QUERY_STRING"], headers.get("range", ""), headers
        )
        self.asked.append(asked)

        def begin(status: str, *more: Any) -> Any:
            asked.status = int(status.split()[0])
            return start(status, *more)

        self._at_work.add(id(asked))
        self.most_at_once = max(self.most_at_once, len(self._at_work))
        try:
            for part in (self.fault(asked) or self._app)(environ, begin):
                for first in range(0, len(part), _PIECE):
                    yield part[first : first + _PIECE]
                    asked.sent += len(part[first : first + _PIECE])
        finally:
            self._at_work.discard(id(asked))

    def __enter__(self) -> "Store":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Serve an empty store, known to this process and those that it starts; for a fixture."""
    with Store() as store:
        for name, value in {
            "AWS_ENDPOINT_URL": store.endpoint,
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "none",
            "AWS_SHARED_CREDENTIALS_FILE": "none",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        objectsystems._system_of.cache_clear()
        yield store
        objectsystems._system_of.cache_clear()


def every(number: int, status: int = 503) -> Fault:
    """Refuse every so many-th request."""
    lock, count = threading.Lock(), iter(range(1, 1 << 60))

    def fault(asked: Asked) -> Response | None:
        with lock:
            return refusal(status) if next(count) % number == 0 else None

    return fault


def slow(seconds: float) -> Fault:
    """Wait before each answer."""

    def fault(asked: Asked) -> Response | None:
        time.sleep(seconds)
        return None

    return fault


def once(what: Callable[[], None], *, method: str = "GET", key: str = "") -> Fault:
    """Do something before the first such request of a key that ends so is answered."""
    left = [what]

    def fault(asked: Asked) -> Response | None:
        if asked.method == method and asked.key and asked.key.endswith(key) and left:
            left.pop()()
        return None

    return fault


def refusal(status: int) -> Response:
    """Refuse as S3 does."""
    code = {403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}.get(status, "InternalError")
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>told to</Message></Error>"
    return Response(body, status=status, mimetype="application/xml")
