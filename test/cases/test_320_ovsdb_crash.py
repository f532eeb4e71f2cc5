"""Nothing lost: what was acknowledged is there after every kind of death, and nothing is there by halves.

Several clients write without pause.  Each transaction inserts two rows with the same number and moves an amount between two accounts, so that a
half-done one shows.  The server dies in the middle of it (from outside, within a record, instead of an fsync) fifty times, or as often as
SLUICE_KILLS says; every restart must find all that was acknowledged, at most one transaction per client more, and the sum of all accounts unchanged.
"""
import json
import os
import random
import subprocess
import threading
import time

import pytest

from database import Client, Database, Gone, Refused, delete, insert, mutate, ref, select, update, uuid
from lab import BUILD, OURS, PEER, eventually

KILLS = int(os.environ.get("SLUICE_KILLS", "50"))
CLIENTS = 4
SCHEMA = {"name": "L", "version": "1.0.0", "tables": {
    "Entry": {"isRoot": True, "indexes": [["key"]], "columns": {
        "key": {"type": "string"}, "client": {"type": "integer"}, "number": {"type": "integer"},
        "note": {"type": {"key": {"type": "uuid", "refTable": "Note"}, "min": 0, "max": 1}}}},
    "Note": {"columns": {"text": {"type": "string"}}},
    "Account": {"isRoot": True, "columns": {"amount": {"type": "integer"}, "seen": {"type": {"key": "string", "min": 0, "max": "unlimited"}}}}}}


def bad_disk(tmp_path):
    control = tmp_path / "control"
    return control, {"LD_PRELOAD": str(BUILD / "test" / "inject" / "libbadio.so"), "BADIO_CONTROL": str(control), "BADIO_NAME": "/db/db",
                     "ASAN_OPTIONS": "verify_asan_link_order=0"}


class Writer(threading.Thread):
    """One client that writes until the server dies."""

    def __init__(self, sock, client, number):
        super().__init__(daemon=True)
        self.sock, self.client, self.acknowledged, self.rng = sock, client, number, random.Random(1000 * client + number)

    def step(self, c, n):
        pair = [insert("Entry", key=f"{self.client}/{n}/{half}", client=self.client, number=n, note=["named-uuid", "note"]) for half in "ab"]
        a, b, amount = self.rng.randrange(4), self.rng.randrange(4), self.rng.randrange(1, 100)
        ops = [{"op": "insert", "table": "Note", "uuid-name": "note", "row": {"text": "x" * self.rng.randrange(300)}}, *pair,
               mutate("Account", [["_uuid", "==", ref(a)]], ["amount", "-=", amount]),
               mutate("Account", [["_uuid", "==", ref(b)]], ["amount", "+=", amount], ["seen", "insert", f"{self.client}"])]
        if self.rng.random() < 0.5:
            ops.append({"op": "commit", "durable": True})
        c.transact("L", *ops)

    def run(self):
        try:
            c = Client(self.sock)
            while True:
                self.step(c, self.acknowledged + 1)
                self.acknowledged += 1
        except (OSError, Gone):
            pass


def check(db, acknowledged):
    """The contents against what the clients know."""
    answers = db.transact(select("Entry", ["_uuid", "client", "number", "note"]), select("Note", ["_uuid"]), select("Account", ["_uuid", "amount"]))
    entries, notes, accounts = (r["rows"] for r in answers)
    assert sum(a["amount"] for a in accounts) == 0
    assert {json.dumps(e["note"]) for e in entries} == {json.dumps(n["_uuid"]) for n in notes}
    for client in range(CLIENTS):
        numbers = sorted(e["number"] for e in entries if e["client"] == client)
        there = len(numbers) // 2
        assert numbers == sorted([*range(1, there + 1)] * 2), "a transaction is there by halves, or one is missing"
        assert there in (acknowledged[client], acknowledged[client] + 1)
        acknowledged[client] = there
    return sum(acknowledged.values())


def test_what_was_acknowledged_survives_every_death(tmp_path):
    control, env = bad_disk(tmp_path)
    rng = random.Random(7)
    db = Database(tmp_path, SCHEMA, env=env).start()
    db.transact(*[insert("Account", i, amount=0) for i in range(4)])
    acknowledged = dict.fromkeys(range(CLIENTS), 0)
    deaths, pages = {"outside": 0, "die": 0, "diesync": 0}, 0
    for i in range(KILLS):
        writers = [Writer(db.sock, c, acknowledged[c]) for c in range(CLIENTS)]
        for w in writers:
            w.start()
        if i % 7 == 3:
            subprocess.Popen(["ovs-appctl", "-t", str(db.ctl), "ovsdb-server/compact"], stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.002, 0.04))
        death = rng.choice([*deaths])
        deaths[death] += 1
        if death == "outside":
            db.process.kill()
        else:
            control.write_text(death)
        db.process.wait(20)
        control.unlink(missing_ok=True)
        for w in writers:
            w.join(20)
            assert not w.is_alive()
        for w in writers:
            acknowledged[w.client] = w.acknowledged
        db.process = None
        if i % 10 == 9:  # Debian's tool reads what is there, but for a torn tail
            subprocess.run(["ovsdb-tool", "db-version", db.file], check=True, capture_output=True)
        db.start()
        total = check(db, acknowledged)
        if i % 100 == 99 and i + 1 < KILLS:  # begin a new page, or looking at everything takes all the time
            pages += total
            db.transact(delete("Entry", []))
            db.appctl("ovsdb-server/compact")
            acknowledged = dict.fromkeys(range(CLIENTS), 0)
            print(f"{i + 1} deaths", flush=True)
    db.stop()
    total += pages
    print(f"{KILLS} deaths {deaths}, {total} transactions")
    assert total > KILLS
    # The peer opens the file and finds the same.
    with Database(tmp_path, SCHEMA, PEER, name="peer", file=db.file) as peer:
        check(peer, acknowledged)


def test_a_full_disk_refuses_and_recovers(tmp_path):
    control, env = bad_disk(tmp_path)
    with Database(tmp_path, SCHEMA, env=env) as db:
        c = db.connect()
        for word in ("enospc", "eio"):
            c.transact("L", insert("Account", amount=1))
            control.write_text(word)
            with pytest.raises(Refused) as refused:
                c.transact("L", insert("Account", amount=2))
            assert refused.value.args[0]["error"] == "I/O error"
            assert "status: ok" not in db.appctl("ovsdb-server/get-db-storage-status", "L")
            assert [r["amount"] for r in c.transact("L", select("Account", ["_uuid", "amount"]))[0]["rows"]] == [1]
            control.unlink()
            c.transact("L", insert("Account", amount=3))
            assert db.appctl("ovsdb-server/get-db-storage-status", "L") == "status: ok\n"
            c.transact("L", delete("Account", []))
        control.write_text("short")
        for i in range(10):
            c.transact("L", insert("Account", amount=i))
        control.write_text("failsync")
        with pytest.raises(Refused):
            c.transact("L", insert("Account", amount=100), {"op": "commit", "durable": True})
        control.unlink()
        eventually(lambda: b"written anew after a failed fsync" in db.file.read_bytes())
        c.transact("L", insert("Account", amount=101), {"op": "commit", "durable": True})
    with Database(tmp_path, SCHEMA) as db:
        amounts = [r["amount"] for r in db.transact(select("Account", ["_uuid", "amount"]))[0]["rows"]]
        assert set(range(10)) <= set(amounts)


def test_a_torn_tail_is_cut_and_said_so(tmp_path):
    with Database(tmp_path, SCHEMA) as db:
        db.transact(insert("Account", amount=1))
        db.transact(insert("Account", amount=2))
    whole = db.file.read_bytes()
    last = whole.rindex(b"OVSDB JSON")
    for cut in (last + 5, last + 60, len(whole) - 3):
        db.file.write_bytes(whole[:cut])
        with db:
            assert [r["amount"] for r in db.transact(select("Account", ["_uuid", "amount"]))[0]["rows"]] == [1]
            assert "cut off" in db.log_text()
        assert db.file.read_bytes() == whole[:last]
    # Flipped bits end the file there as well.
    db.file.write_bytes(whole[:last + 80] + bytes([whole[last + 80] ^ 1]) + whole[last + 81:])
    with db:
        assert len(db.transact(select("Account", ["amount"]))[0]["rows"]) == 1


def test_compaction_does_not_stop_service(tmp_path):
    with Database(tmp_path, SCHEMA) as db:
        c = db.connect()
        c.transact("L", *[insert("Account", i, amount=0) for i in range(4)])
        for i in range(300):
            c.transact("L", insert("Entry", key=f"0/{i}", client=0, number=i))
        done = subprocess.Popen(["ovs-appctl", "-t", str(db.ctl), "ovsdb-server/compact"])
        n = 0
        while done.poll() is None:
            c.transact("L", update("Account", [["_uuid", "==", ref(0)]], amount=n))
            n += 1
        assert done.returncode == 0 and n
        c.transact("L", update("Account", [["_uuid", "==", ref(1)]], amount=7))
        assert db.file.read_bytes().count(b"0/299") == 1 and b"compacting database online" in db.file.read_bytes()
        assert not list(db.folder.glob("*.tmp"))
    with db:
        rows = db.transact(select("Account", ["amount"], [["amount", ">", 0]]), select("Entry", ["key"]))
        assert {r["amount"] for r in rows[0]["rows"]} == {n - 1, 7} - {0}
        assert len(rows[1]["rows"]) == 300


def test_files_go_to_the_peer_and_back(tmp_path):
    file = tmp_path / "shared"
    ours = Database(tmp_path, SCHEMA, OURS, name="ours", file=file)
    peer = Database(tmp_path, SCHEMA, PEER, name="peer", file=file)
    expected = set()
    for i in range(3):
        for db in (ours, peer):
            with db:
                db.transact(insert("Entry", key=f"{db.whose}{i}", client=i, number=i))
                db.transact(update("Entry", [["client", "==", i]], number=i + 10))
                db.transact(insert("Account", amount=i, seen=["set", [f"a{i}", db.whose]]))
                db.transact(mutate("Account", [], ["seen", "insert", ["set", [f"b{i}"]]], ["seen", "delete", ["set", ["a0"]]]))
                if i == 1:
                    db.appctl("ovsdb-server/compact")
                expected.add(f"{db.whose}{i}")
                assert {r["key"] for r in db.transact(select("Entry", ["key"]))[0]["rows"]} == expected
    state = []
    for db in (ours, peer):
        with db:
            state.append(db.transact(select("Account", ["amount", "seen"]), select("Entry", ["key", "number"])))
    sort = lambda tables: [sorted(json.dumps(r, sort_keys=True) for r in t["rows"]) for t in tables]
    assert sort(state[0]) == sort(state[1])


def test_two_servers_do_not_share_a_file(tmp_path):
    with Database(tmp_path, SCHEMA) as db:
        done = subprocess.run(["ovsdb-server", db.file, f"--remote=punix:{tmp_path}/x", "--unixctl=none", "-vconsole:off"], capture_output=True, text=True, timeout=10)
        assert done.returncode and "lock" in done.stderr
    with Database(tmp_path, SCHEMA, PEER) as peer:
        ours = Database(tmp_path, SCHEMA, OURS, name="other", file=peer.file)
        with pytest.raises(AssertionError, match="lock"):
            ours.start()
