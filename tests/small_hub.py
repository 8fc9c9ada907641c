"""A Hub small enough for a test: what its real client asks to fetch and upload, served on loopback, with faults to order."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml


class SmallHub:
    """Repositories of files by commit; ``fault`` says what goes wrong with the weights, ``log`` what was asked."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        """Repository -> commit -> file -> content; the last commit is main."""
        self.large: dict[str, bytes] = {}
        """SHA-256 -> content of large files that were uploaded."""
        self.fault = ""
        """Of the weights: wrong, short, cut (after the half, and again whenever asked for the rest), cut once, 503, endless,
        drip; of all files: elsewhere (another commit)."""
        self.gate = threading.Event()
        """Weights are sent to their half only, until this is set."""
        self.gate.set()
        self.token = ""
        """What an upload needs; empty: nobody may."""
        self.log: list[str] = []
        self.closed = False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def add(self, repository: str, files: dict[str, bytes]) -> str:
        """A new commit with these files on top of the last; returns the commit."""
        commits = self.repositories.setdefault(repository, {})
        tree = {**(list(commits.values())[-1] if commits else {}), **files}
        commit = hashlib.sha1(repr((len(commits), sorted(tree.items()))).encode()).hexdigest()
        commits[commit] = tree
        return commit

    def close(self) -> None:
        self.gate.set()
        self.closed = True  # also for connections that are kept open
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: SmallHub

    def log_message(self, *_) -> None:
        pass

    def parse_request(self) -> bool:
        if self.hub.closed:
            self.close_connection = True
            return False
        return super().parse_request()

    def do_HEAD(self) -> None:
        self.resolve(False)

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/"):
            commits = self.hub.repositories.get(self.path.split("?")[0].removeprefix("/api/models/").split("/revision/")[0])
            if commits is None:
                return self.missing("RepoNotFound")
            return self.answer({"id": "", "sha": list(commits)[-1]})
        return self.resolve(True)

    def resolve(self, body: bool) -> None:
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        if found:  # the client asks for this and that besides
            self.hub.log.append(f"{self.command} {self.path}")
        commits = self.hub.repositories.get(found[1]) if found else None
        if commits is None:
            return self.missing("RepoNotFound")
        commit = list(commits)[-1] if found[2] == "main" else found[2]
        if commit not in commits:
            return self.missing("RevisionNotFound")
        if found[3] not in commits[commit]:
            return self.missing("EntryNotFound", commit)
        content, large = commits[commit][found[3]], found[3].endswith(".safetensors")
        fault = self.hub.fault if large and body else ""
        if fault == "503" or (large and self.hub.fault == "503"):
            self.send_response(503)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        begin = int((re.match(r"bytes=(\d+)-", self.headers.get("Range", "")) or [0, 0])[1])
        tag = hashlib.sha256(content).hexdigest() if large else hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if fault == "wrong":
            content = content[:-1] + bytes([content[-1] ^ 1])
        elif fault == "short":
            content = content[:-1]
        self.send_response(206 if begin else 200)
        self.send_header("X-Repo-Commit", 40 * "e" if self.hub.fault == "elsewhere" else commit)
        self.send_header("ETag", f'"{tag}"')
        self.send_header("Accept-Ranges", "bytes")
        if fault != "endless":
            self.send_header("Content-Length", str(len(content) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if not body:
            return None
        if fault in ("endless", "drip"):
            self.close_connection = True
            with contextlib.suppress(OSError):  # until the client has enough
                for place in range(100_000 if fault == "endless" else len(content)):
                    self.wfile.write(2**16 * b"x" if fault == "endless" else content[place : place + 1])
                    threading.Event().wait(0 if fault == "endless" else 0.05)
            return None
        half = max(begin, len(content) // 2)
        self.wfile.write(content[begin:half])
        self.wfile.flush()
        if large:
            self.hub.gate.wait(600)
        if fault.startswith("cut"):
            self.hub.fault = "" if fault == "cut once" else fault
            self.close_connection = True
            return None
        self.wfile.write(content[half:])
        return None

    # ---- uploads ------------------------------------------------------------------------------------------------------

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.log.append(f"{self.command} {self.path}")
        if not self.hub.token or self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self.answer({"error": "Invalid username or password."}, 401)
        if self.path == "/api/validate-yaml":
            front = yaml.safe_load(json.loads(body)["content"].split("---\n")[1])
            return self.answer({"errors": [], "warnings": []} if isinstance(front, dict) else {"errors": [{"message": "no"}]})
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            repository = f"{asked['organization']}/{asked['name']}"
            if repository in self.hub.repositories:
                return self.answer({"error": "You already created this model repo", "url": f"{self.hub.address}/{repository}"}, 409)
            self.hub.add(repository, {".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"})
            return self.answer({"url": f"{self.hub.address}/{repository}"})
        preupload = re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", self.path)
        if preupload:
            files = [
                {"path": file["path"], "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                 "shouldIgnore": False, "oid": None}
                for file in json.loads(body)["files"]
            ]  # fmt: skip
            return self.answer({"files": files})
        if self.path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {"oid": item["oid"], "size": item["size"], "actions": {"upload": {"href": f"{self.hub.address}/lfs/{item['oid']}"}}}
                for item in json.loads(body)["objects"]
            ]
            return self.answer({"transfer": "basic", "objects": objects})
        commit = re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", self.path)
        if commit:
            files = {}
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = self.hub.large[value["oid"]]
            oid = self.hub.add(commit[1], files)
            return self.answer({"commitUrl": f"{self.hub.address}/{commit[1]}/commit/{oid}", "commitOid": oid})
        return self.missing("EntryNotFound")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        oid = self.path.removeprefix("/lfs/")
        if self.hub.fault == "503":
            return self.answer({}, 403)
        right = hashlib.sha256(body).hexdigest() == oid
        if right:
            self.hub.large[oid] = body
        return self.answer({}, 200 if right else 400)

    def answer(self, content: dict, status: int = 200) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def missing(self, kind: str, commit: str = "") -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", kind)
        self.send_header("X-Error-Message", "not here")
        if commit:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", "0")
        self.end_headers()
