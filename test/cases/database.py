"""database - OVSDB servers and a bare client for the cases of the database, without switches or namespaces.

    d = Database(tmp_path, schema)                  # ours; Database(tmp_path, schema, PEER) is Debian's ovsdb-server
    d.transact({"op": "insert", ...})               # the results; "error" replies raise Refused
    c = d.connect(); c.call("monitor", [...])       # all messages up to and with the reply
"""
import atexit
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

from lab import COMPAT, OURS, PEER, eventually

PROGRAMS = {OURS: str(COMPAT / "ovsdb-server"), PEER: "/usr/sbin/ovsdb-server"}


def uuid(n):
    return f"{n:08d}-0000-4000-8000-000000000000"


def ref(n):
    return ["uuid", uuid(n)]


def insert(table, number=None, /, **row):
    op = {"op": "insert", "table": table, "row": row}
    return op if number is None else dict(op, uuid=uuid(number))


def select(table, columns, where=()):
    return {"op": "select", "table": table, "where": list(where), "columns": columns}


def update(table, where, /, **row):
    return {"op": "update", "table": table, "where": where, "row": row}


def mutate(table, where, *mutations):
    return {"op": "mutate", "table": table, "where": where, "mutations": list(mutations)}


def delete(table, where):
    return {"op": "delete", "table": table, "where": where}


class Refused(Exception):
    pass


class Gone(Exception):
    """The server hung up."""


class Client:
    def __init__(self, where, timeout=10):
        if isinstance(where, int):
            self.sock = socket.create_connection(("127.0.0.1", where))
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(str(where))
        self.sock.settimeout(timeout)
        self.text, self.decoder, self.last = "", json.JSONDecoder(), 0

    def send(self, method, params, id=0):
        if id == 0:
            self.last += 1
            id = self.last
        self.sock.sendall(json.dumps({"method": method, "params": params, "id": id}).encode())
        return id

    def receive(self):
        while True:
            self.text = self.text.lstrip()
            try:
                value, n = self.decoder.raw_decode(self.text)
                self.text = self.text[n:]
                return value
            except ValueError:
                pass
            try:
                more = self.sock.recv(1 << 16)
            except ConnectionError as e:
                raise Gone from e
            if not more:
                raise Gone
            self.text += more.decode()

    def call(self, method, params):
        """Everything that comes, up to and with the reply."""
        id, seen = self.send(method, params), []
        while not seen or seen[-1].get("id") != id:
            seen.append(self.receive())
        return seen

    def ask(self, method, params):
        reply = self.call(method, params)[-1]
        if reply.get("error"):
            raise Refused(reply["error"])
        return reply["result"]

    def transact(self, db, *ops):
        result = self.ask("transact", [db, *ops])
        for r in result:
            if r and "error" in r:
                raise Refused(r)
        return result

    def close(self):
        self.sock.close()


class Database:
    """A server with one database file."""

    def __init__(self, folder, schema=None, whose=OURS, options=(), name="db", env=None, file=None):
        self.folder, self.whose, self.options = pathlib.Path(folder) / name, whose, list(options)
        self.folder.mkdir(exist_ok=True)
        self.schema, self.file = schema, file or self.folder / "db"
        self.sock, self.ctl, self.log = self.folder / "sock", self.folder / "ctl", self.folder / "log"
        self.env = dict(os.environ, OVS_RUNDIR=str(self.folder), OVS_LOGDIR=str(self.folder), **(env or {}))
        self.process = None
        atexit.register(self.kill)  # a case that fails in the middle leaves nothing behind
        if schema and not self.file.exists():
            (self.folder / "schema").write_text(json.dumps(schema))
            subprocess.run(["ovsdb-tool", "create", self.file, self.folder / "schema"], check=True)

    def start(self, *more):
        files = [str(self.file)] if self.file.exists() else ["--no-db"] if not any(o.startswith("relay:") for o in self.options) else []
        self.process = subprocess.Popen(
            [PROGRAMS[self.whose], *files, f"--remote=punix:{self.sock}", f"--unixctl={self.ctl}", f"--log-file={self.log}", "-vconsole:off",
             "-vsyslog:off", *self.options, *more], env=self.env, stdout=subprocess.DEVNULL, stderr=open(self.folder / "stderr", "w"))
        eventually(lambda: self.process.poll() is not None or self.answers(), every=0.005)
        assert self.process.poll() is None, (self.folder / "stderr").read_text()
        return self

    def answers(self):
        try:
            Client(self.sock).close()
            return True
        except OSError:
            return False

    def connect(self, **more):
        return Client(self.sock, **more)

    def transact(self, *ops, db=None):
        c = self.connect()
        try:
            return c.transact(db or self.schema["name"], *ops)
        finally:
            c.close()

    def appctl(self, *words, check=True):
        done = subprocess.run(["ovs-appctl", "-t", str(self.ctl), *words], capture_output=True, text=True, timeout=20)
        assert not check or not done.returncode, done.stderr
        return done.stdout if check else done

    def log_text(self):
        return self.log.read_text() if self.log.exists() else ""

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
        self.process = None

    def stop(self):
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        finally:
            self.kill()
        err = (self.folder / "stderr").read_text()
        assert code == 0 or self.whose == PEER, f"exit code {code}: {err}"
        assert not err or self.whose == PEER, err

    def __enter__(self):
        return self.start() if not self.process else self

    def __exit__(self, *_):
        self.stop()
