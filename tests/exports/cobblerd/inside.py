"""Runs in cobblerd's namespace: a JSON list of [METHOD, ARGUMENTS...] on stdin, the answers as a JSON list on stdout.

METHOD is one of Cobbler's XML-RPC methods ("TOKEN" stands for a login's token, {"answer": N} for an earlier answer), or
"GET" with a path of the web front; that answers [status, body].
"""

from __future__ import annotations

import json
import sys
import urllib.request
import xmlrpc.client
from typing import Any

server = xmlrpc.client.ServerProxy("http://127.0.0.1:25151", allow_none=True)
token = ""
answers: list[Any] = []


def argument(value: Any) -> Any:
    global token
    if value == "TOKEN":
        token = token or server.login("testing", "testing")  # type: ignore[assignment]
        return token
    return answers[value["answer"]] if isinstance(value, dict) and set(value) == {"answer"} else value


def get(path: str) -> list[Any]:
    with urllib.request.urlopen(f"http://127.0.0.1{path}", timeout=60) as answer:
        return [answer.status, answer.read().decode("utf-8")]


for method, *arguments in json.load(sys.stdin):
    answers.append(get(arguments[0]) if method == "GET" else getattr(server, method)(*map(argument, arguments)))
json.dump(answers, sys.stdout)
