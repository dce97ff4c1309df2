"""What Apache is to Cobbler: /cblr/svc is Cobbler's own WSGI application, /cobbler_api goes to cobblerd. front.py SVC-FOLDER"""

from __future__ import annotations

import http.client
import sys
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

sys.path.insert(0, sys.argv[1])
import services  # type: ignore[import-not-found]


class Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def get_environ(self) -> dict[str, Any]:
        # mod_wsgi sets it, and services.py reads nothing else.
        return {**super().get_environ(), "REQUEST_URI": self.path}


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def application(environ: dict[str, Any], start: Any) -> Any:
    if environ["PATH_INFO"].startswith("/cblr/svc"):
        return services.application(environ, start)
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    connection = http.client.HTTPConnection("127.0.0.1", 25151)
    connection.request("POST", "/", body, {"Content-Type": "text/xml"})
    answer = connection.getresponse()
    data = answer.read()
    start(f"{answer.status} {answer.reason}", [("Content-Type", "text/xml"), ("Content-Length", str(len(data)))])
    return [data]


make_server("127.0.0.1", 80, application, Server, Handler).serve_forever()
