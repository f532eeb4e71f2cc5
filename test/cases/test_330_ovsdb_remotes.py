"""Where clients come from and what they may do; several databases; copies on other servers; peers that behave badly."""
import json
import socket
import subprocess
import time

import pytest

from database import Client, Database, Gone, Refused, delete, insert, mutate, ref, select, update, uuid
from lab import OURS, PEER, eventually, run

SET = lambda *atoms: ["set", list(atoms)]
UNLIMITED = {"min": 0, "max": "unlimited"}
SCHEMA = {"name": "R", "version": "1.0.0", "tables": {
    "Global": {"isRoot": True, "columns": {"connections": {"type": dict(UNLIMITED, key={"type": "uuid", "refTable": "Connection"})},
                                           "targets": {"type": dict(UNLIMITED, key="string")}}},
    "Connection": {"columns": {
        "target": {"type": "string"}, "read_only": {"type": "boolean"}, "role": {"type": "string"}, "is_connected": {"type": "boolean", "ephemeral": True},
        "inactivity_probe": {"type": {"key": "integer", "min": 0, "max": 1}}, "max_backoff": {"type": {"key": "integer", "min": 0, "max": 1}},
        "status": {"type": dict(UNLIMITED, key="string", value="string"), "ephemeral": True}}},
    "Thing": {"isRoot": True, "columns": {"n": {"type": "integer"}, "owner": {"type": "string"},
                                          "notes": {"type": dict(UNLIMITED, key="string", value="string")}}},
    "Secret": {"isRoot": True, "columns": {"n": {"type": "integer"}}},
    "RBAC_Role": {"isRoot": True, "columns": {
        "name": {"type": "string"},
        "permissions": {"type": dict(UNLIMITED, key="string", value={"type": "uuid", "refTable": "RBAC_Permission", "refType": "weak"})}}},
    "RBAC_Permission": {"isRoot": True, "columns": {
        "table": {"type": "string"}, "authorization": {"type": dict(UNLIMITED, key="string")}, "insert_delete": {"type": "boolean"},
        "update": {"type": dict(UNLIMITED, key="string")}}}}}


def things(c):
    return sorted(r["n"] for r in c.transact("R", select("Thing", ["_uuid", "n"]))[0]["rows"])


def port_of(db, row):
    status = dict(db.transact(select("Connection", ["status"], [["_uuid", "==", ref(row)]]))[0]["rows"][0]["status"][1])
    return int(status["bound_port"]) if "bound_port" in status else None


def test_remotes_in_the_database(tmp_path):
    with Database(tmp_path, SCHEMA, options=["--remote=db:R,Global,connections", "--remote=db:R,Global,targets"]) as db:
        db.transact(insert("Connection", 1, target="ptcp:0:127.0.0.1"), insert("Connection", 2, target=f"punix:{tmp_path}/ro", read_only=True),
                    insert("Global", 9, connections=SET(ref(1), ref(2)), targets=f"punix:{tmp_path}/more"))
        port = eventually(lambda: port_of(db, 1))
        writer, reader, third = Client(port), Client(tmp_path / "ro"), Client(tmp_path / "more")
        writer.transact("R", insert("Thing", n=1))
        with pytest.raises(Refused, match="read only"):
            reader.transact("R", insert("Thing", n=2))
        with pytest.raises(Refused, match="read only"):
            reader.ask("lock", ["x"])
        assert things(reader) == things(third) == [1]
        eventually(lambda: db.transact(select("Connection", ["is_connected"], [["_uuid", "==", ref(1)]]))[0]["rows"] == [{"is_connected": True}])
        db.transact(mutate("Global", [], ["connections", "delete", ref(1)]))
        with pytest.raises((Gone, OSError)):
            while True:
                things(writer)
        with pytest.raises(OSError):
            Client(port)
        # What the file keeps does not hold the status.
        assert b"bound_port" not in db.file.read_bytes()


def test_a_server_we_call(tmp_path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "caller"))
    listener.listen()
    with Database(tmp_path, SCHEMA, options=[f"--remote=unix:{tmp_path}/caller"]):
        for _ in range(2):  # it calls again after we hang up
            line, _ = listener.accept()
            line.sendall(b'{"method":"list_dbs","params":[],"id":1}')
            assert json.loads(line.recv(1000))["result"] == ["R", "_Server"]
            line.close()


def test_commands_for_remotes_and_databases(tmp_path):
    with Database(tmp_path, SCHEMA) as db:
        db.appctl("ovsdb-server/add-remote", f"punix:{tmp_path}/extra")
        assert Client(tmp_path / "extra").ask("list_dbs", []) == ["R", "_Server"]
        assert db.appctl("ovsdb-server/list-remotes").split() == sorted([f"punix:{db.sock}", f"punix:{tmp_path}/extra"])
        db.appctl("ovsdb-server/remove-remote", f"punix:{tmp_path}/extra")
        assert db.appctl("ovsdb-server/remove-remote", "x", check=False).stderr.startswith("no such remote")
        (tmp_path / "s2").write_text(json.dumps(dict(SCHEMA, name="Other")))
        run("ovsdb-tool", "create", tmp_path / "other", tmp_path / "s2")
        aware, plain = db.connect(), db.connect()
        aware.ask("set_db_change_aware", [True])
        aware.ask("monitor", ["_Server", "m", {"Database": {"columns": ["name", "connected"]}}])
        db.appctl("ovsdb-server/add-db", tmp_path / "other")
        assert "Other" in json.dumps(aware.receive())
        assert db.appctl("ovsdb-server/list-dbs").split() == ["Other", "R", "_Server"]
        assert db.appctl("ovsdb-server/add-db", tmp_path / "other", check=False).stderr.startswith(f"ovsdb error: {tmp_path}/other: already open")
        aware.transact("Other", insert("Thing", n=5))
        aware.ask("monitor", ["Other", "o", {"Thing": {}}])
        db.appctl("ovsdb-server/remove-db", "Other")
        assert [aware.receive()["method"] for _ in range(2)] == ["update", "monitor_canceled"]
        with pytest.raises((Gone, OSError)):
            plain.ask("list_dbs", [])
        assert db.appctl("cluster/status", "R", check=False).returncode == 2
        assert "R" in db.appctl("ovsdb-server/tlog-list")
        db.appctl("ovsdb-server/tlog-set", "R:Thing", "on")
        aware.transact("R", insert("Thing", n=77))
        eventually(lambda: "table:Thing,op:inserted" in db.log_text())
        assert "cells" in db.appctl("memory/show")


# ---- TLS and roles. ----


def certificates(folder):
    """A CA, the server's pair, a client's pair called 'alice', and a stranger's, of another CA."""
    folder.mkdir()
    for ca in ("ca", "strange"):
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", f"/CN={ca}", "-keyout", folder / f"{ca}.key", "-out", folder / f"{ca}.pem")
    for name, ca in (("server", "ca"), ("alice", "ca"), ("mallory", "strange")):
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
        run("openssl", "x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / f"{ca}.pem", "-CAkey", folder / f"{ca}.key", "-CAcreateserial", "-days", 2,
            "-out", folder / f"{name}.pem")
    return folder


def client_over_tls(pki, who, port, *words, ca="ca"):
    return run("ovsdb-client", "--timeout=5", f"--private-key={pki}/{who}.key", f"--certificate={pki}/{who}.pem", f"--ca-cert={pki}/{ca}.pem", words[0],
               f"ssl:127.0.0.1:{port}", *words[1:], check=False)


def test_tls_and_roles(tmp_path):
    pki = certificates(tmp_path / "pki")
    files = [f"--private-key={pki}/server.key", f"--certificate={pki}/server.pem", f"--ca-cert={pki}/ca.pem"]
    with Database(tmp_path, SCHEMA, options=[*files, "--remote=db:R,Global,connections"]) as db:
        db.transact(insert("Connection", 1, target="pssl:0:127.0.0.1", role="user"), insert("Global", connections=ref(1)),
                    dict(insert("RBAC_Permission", 5, table="Thing", authorization=SET("owner"), insert_delete=True, update=SET("n", "notes:mine"))),
                    insert("RBAC_Role", name="user", permissions=["map", [["Thing", ref(5)]]]),
                    insert("Thing", 10, n=1, owner="alice"), insert("Thing", 11, n=1, owner="bob"))
        port = eventually(lambda: port_of(db, 1))
        transact = lambda *ops: client_over_tls(pki, "alice", port, "transact", json.dumps(["R", *ops]))
        mine, others = [["_uuid", "==", ref(10)]], [["_uuid", "==", ref(11)]]
        assert '"count":1' in transact(update("Thing", mine, n=2)).stdout
        assert "permission error" in transact(update("Thing", others, n=2)).stdout
        assert "permission error" in transact(update("Thing", mine, owner="alice2")).stdout
        assert '"count":1' in transact(mutate("Thing", mine, ["notes", "insert", ["map", [["mine", "x"]]]])).stdout
        assert "permission error" in transact(mutate("Thing", mine, ["notes", "insert", ["map", [["yours", "x"]]]])).stdout
        assert "permission error" in transact(insert("Thing", n=5, owner="bob")).stdout
        assert '"uuid"' in transact(insert("Thing", n=5, owner="alice")).stdout
        assert "permission error" in transact(delete("Thing", others)).stdout
        assert "permission error" in transact(insert("Secret", n=5)).stdout
        assert '"rows"' in transact(select("Secret", ["n"])).stdout
        assert client_over_tls(pki, "mallory", port, "list-dbs", ca="ca").returncode  # its certificate is not of our CA
        assert client_over_tls(pki, "alice", port, "list-dbs", ca="strange").returncode  # it does not trust ours
        # The files are read again when they change.
        for f in ("key", "pem"):
            (pki / f"server.{f}").write_bytes((pki / f"mallory.{f}").read_bytes())
        eventually(lambda: client_over_tls(pki, "alice", port, "list-dbs").returncode)


# ---- Copies. ----


def wait_for(db, numbers):
    eventually(lambda: things(db.connect()) == numbers)


@pytest.mark.parametrize("whose", [OURS, PEER])
def test_a_backup_follows(tmp_path, whose):
    with Database(tmp_path, SCHEMA, whose, name="active") as active:
        active.transact(insert("Thing", 1, n=1), insert("Secret", n=1), insert("Connection", 7, target="x"), insert("Global", connections=ref(7)))
        with Database(tmp_path, SCHEMA, name="backup", options=[f"--sync-from=unix:{active.sock}", "--sync-exclude-tables=R:Secret"]) as backup:
            wait_for(backup, [1])
            active.transact(insert("Thing", n=2), update("Thing", [["n", "==", 1]], n=10))
            wait_for(backup, [2, 10])
            assert backup.transact(select("Secret", ["n"])) == [{"rows": []}]
            with pytest.raises(Refused, match="read only"):
                backup.transact(insert("Thing", n=3))
            status = backup.appctl("ovsdb-server/sync-status")
            assert "state: backup" in status and f"replicating: unix:{active.sock}" in status
            active.stop()
            assert things(backup.connect()) == [2, 10]
            active.start()
            active.transact(delete("Thing", [["n", "==", 2]]))
            wait_for(backup, [10])
            backup.appctl("ovsdb-server/disconnect-active-ovsdb-server")
            assert backup.appctl("ovsdb-server/sync-status") == "state: active\n"
            eventually(backup.answers)
            backup.transact(insert("Thing", n=4))
            wait_for(backup, [4, 10])
            backup.appctl("ovsdb-server/connect-active-ovsdb-server")
            wait_for(backup, [10])
        with backup.start("--active"):  # what it learnt is in its file
            assert things(backup.connect()) == [10]


def test_a_server_does_not_copy_itself(tmp_path):
    with Database(tmp_path, SCHEMA, options=[f"--sync-from=unix:{tmp_path}/db/sock"]) as db:
        eventually(lambda: "Self replicating is not allowed" in db.log_text())


def has_things(c, numbers):
    try:
        return things(c) == numbers
    except Refused:
        return False


@pytest.mark.parametrize("whose", [OURS, PEER])
def test_a_relay_passes_on(tmp_path, whose):
    with Database(tmp_path, SCHEMA, whose, name="source") as source:
        source.transact(insert("Thing", n=1))
        relay = Database(tmp_path, None, name="relay", options=[f"relay:R:unix:{source.sock}"])
        relay.schema = SCHEMA
        with relay:
            c = relay.connect()
            c.ask("set_db_change_aware", [True])
            eventually(lambda: has_things(c, [1]))
            c.ask("monitor", ["R", "m", {"Thing": {"columns": ["n"]}}])
            answer = c.transact("R", insert("Thing", 5, n=2))  # the source does it ...
            assert answer == [{"uuid": ref(5)}]
            eventually(lambda: things(relay.connect()) == [1, 2])  # ... and we learn of it
            assert things(source.connect()) == [1, 2]
            with pytest.raises(Refused, match="constraint|syntax"):
                c.transact("R", insert("Thing", n="x"))
            rows = c.transact("_Server", select("Database", ["name", "model", "connected"], [["name", "==", "R"]]))[0]["rows"]
            assert rows == [{"name": "R", "model": "relay", "connected": True}]
            source.stop()
            eventually(lambda: relay.transact(select("Database", ["connected"], [["name", "==", "R"]]), db="_Server")[0]["rows"] == [{"connected": False}])
            assert things(relay.connect()) == [1, 2]


def test_run(tmp_path):
    db = Database(tmp_path, SCHEMA)
    from database import PROGRAMS
    command = [PROGRAMS[OURS], db.file, f"--remote=punix:{db.sock}", "--unixctl=none", "-vconsole:off", "-vsyslog:off"]
    done = subprocess.run([*map(str, command), f"--run=ovsdb-client list-dbs unix:{db.sock}"], env=db.env, capture_output=True, text=True, timeout=10)
    assert (done.returncode, done.stdout, done.stderr) == (0, "R\n_Server\n", "")
    assert subprocess.run([*map(str, command), "--run=exit 3"], env=db.env, timeout=10).returncode == 1


# ---- Peers that behave badly. ----


def test_bad_input_ends_that_line_only(tmp_path):
    with Database(tmp_path, SCHEMA) as db:
        good = db.connect()
        for bad in (b"x", b"{]", b"[" * 200, b'{"a":1}', b'{"method":"transact","params":{},"id":1}', b'{"id":1,"result":1,"error":null}', b'{"method":5,"params":[],"id":1}',
                    b'"text"', b"5 ", b'{"method":"echo","params":["\xff\xfe\\u0000"],"id":1}', b"\0" * 100):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(5)
            s.connect(str(db.sock))
            s.sendall(bad)
            assert s.recv(1000) == b"", bad
            s.close()
        half = socket.socket(socket.AF_UNIX)
        half.connect(str(db.sock))
        half.sendall(b'{"method":"transact","params":["R",{"op":"insert","table":"Thing"')
        half.close()
        assert things(good) == []


def test_who_does_not_read_is_cut_off(tmp_path):
    with Database(tmp_path, SCHEMA) as db:
        lazy, busy = db.connect(), db.connect()
        lazy.ask("monitor", ["R", "m", {"Thing": {}}])
        big = "x" * (4 << 20)
        rss = lambda: int(next(l for l in open(f"/proc/{db.process.pid}/status") if l.startswith("VmRSS")).split()[1]) >> 10
        for i in range(200):
            busy.transact("R", insert("Thing", n=i, owner=big), delete("Thing", [["n", "<", i]]))
            if "sending backlog exceeded" in db.log_text():
                break
        assert "sending backlog exceeded" in db.log_text()
        busy.transact("R", delete("Thing", []))
        assert rss() < 600
        with pytest.raises(Gone):
            while True:
                lazy.receive()


def test_a_silent_peer_is_asked_and_dropped(tmp_path):
    with Database(tmp_path, SCHEMA, options=["--remote=db:R,Global,connections"]) as db:
        db.transact(insert("Connection", 1, target="ptcp:0:127.0.0.1", inactivity_probe=300), insert("Global", connections=ref(1)))
        silent = Client(eventually(lambda: port_of(db, 1)))
        assert silent.receive() == {"id": "echo", "method": "echo", "params": []}
        with pytest.raises(Gone):
            silent.receive()
        alive = Client(port_of(db, 1))
        for _ in range(4):
            m = alive.receive()
            alive.sock.sendall(json.dumps({"id": m["id"], "result": m["params"], "error": None}).encode())
        assert things(alive) == []


def test_a_greedy_client_does_not_hold_up_others(tmp_path):
    with Database(tmp_path, SCHEMA) as db:
        greedy, other = db.connect(), db.connect()
        for i in range(20):
            greedy.transact("R", *[insert("Thing", n=1000 * i + j, owner="x" * 100) for j in range(500)])
        request = json.dumps({"method": "transact", "params": ["R", select("Thing", ["n", "owner"])], "id": 7}).encode()
        greedy.sock.setblocking(False)
        sent = greedy.sock.send(request * 300)  # 1.5 MB each are asked for, and nothing is read
        began = time.monotonic()
        for i in range(20):
            other.transact("R", insert("Secret", n=i))
        assert time.monotonic() - began < 5
        resident = int(next(l for l in open(f"/proc/{db.process.pid}/status") if l.startswith("VmRSS")).split()[1]) >> 10
        assert resident < 100
        greedy.sock.settimeout(20)
        for _ in range(min(20, sent // len(request))):  # all of it comes to who reads
            assert len(greedy.receive()["result"][0]["rows"]) == 10000
