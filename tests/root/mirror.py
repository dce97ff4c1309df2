"""The mirror in the rack: a folder over HTTP, and the faults a test asks of it. Run inside the test's network namespace.

    mirror.py FOLDER ADDRESS PORT RULES LOG

RULES is a JSON list, read again when it changes. Each rule names a `prefix` of the path and what happens to requests under it,
for the first `times` of them (always, when absent): `status` answers so, `drop` closes the connection after half the body,
`delay` waits that many seconds first, `hang` never answers, `alias` serves another folder's file in its place.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional


class Faults:
    """The rules that are in force, each with what is left of its `times`."""

    def __init__(self, file: Path) -> None:
        self.file, self.stamp, self.rules, self.lock = file, 0, [], threading.Lock()

    def of(self, path: str) -> Optional[dict[str, Any]]:
        with self.lock:
            stamp = self.file.stat().st_mtime_ns
            if stamp != self.stamp:
                self.stamp, self.rules = stamp, json.loads(self.file.read_text())
            for rule in self.rules:
                if path.startswith(rule["prefix"]) and rule.get("times", 1) > 0:
                    if "times" in rule:
                        rule["times"] -= 1
                    return rule
        return None


def serve(folder: Path, address: str, port: int, rules: Path, log: Path) -> None:
    faults = Faults(rules)

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *words: Any) -> None:
            with log.open("a") as file:
                file.write(f"{format % words}\n")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with (log.parent / "posted").open("ab") as file:
                file.write(body.replace(b"\n", b"") + b"\n")
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            rule = faults.of(self.path) or {}
            if "delay" in rule:
                time.sleep(rule["delay"])
            if rule.get("hang"):
                time.sleep(3600)
            if "alias" in rule:
                self.path = rule["alias"] + self.path[len(rule["prefix"]) :]
            if "status" in rule:
                self.send_error(rule["status"])
            elif rule.get("drop"):
                self.log_message("dropped %s", self.path)
                data = Path(self.translate_path(self.path)).read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
            else:
                super().do_GET()

    def handler(*words: Any) -> Handler:
        return Handler(*words, directory=str(folder))

    def end_with_the_test() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_the_test, daemon=True).start()
    with ThreadingHTTPServer((address, port), handler) as server:
        server.daemon_threads = True
        server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))
