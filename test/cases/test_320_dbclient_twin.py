"""ovsdb-client against Debian's, both asking one server (Debian's, then ours): the same words must come back.

What may differ: uuids, log lines, the order of tables, columns and rows that the other tool leaves to chance.
"""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from lab import COMPAT, eventually, run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCHEMA = os.path.join(ROOT, "src/ovsdb/vswitch.ovsschema")
OLD_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PEER = shutil.which("ovsdb-client", path="/usr/bin:/bin")
OURS = str(COMPAT / "ovsdb-client")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def canonical(text):
    text = re.sub(r"^\d{4}-\d\d-\d\dT[\d:.]+Z\|.*\n?", "", text, flags=re.M)
    text = re.sub(r"line \d+, column \d+, byte \d+: [^)\n]*", "NOT JSON", text)
    return UUID.sub("U", text)


@pytest.fixture(params=["debian", "ours"])
def server(lab, request):
    folder = lab.dir
    env = os.environ | {"OVS_RUNDIR": str(folder), "OVS_DBDIR": str(folder), "OVS_LOGDIR": str(folder), "OVS_SYSLOG_METHOD": "null"}
    run("/usr/bin/ovsdb-tool", "create", folder / "conf.db", SCHEMA)
    program = "/usr/sbin/ovsdb-server" if request.param == "debian" else COMPAT / "ovsdb-server"
    process = subprocess.Popen([program, "conf.db", f"--remote=punix:{folder}/db.sock", f"--unixctl={folder}/x.ctl", "-vconsole:off"], cwd=folder, env=env)
    lab.defer(process.wait)
    lab.defer(process.kill)
    eventually(lambda: (folder / "db.sock").exists())
    for line in ("init", "add-br br0 -- set bridge br0 other_config:a=b", "add-port br0 p1 tag=5 -- set interface p1 type=internal",
                 "set-manager ptcp:5 ptcp:6"):
        run("/usr/bin/ovs-vsctl", "--no-wait", *line.split(), env=env)
    return folder, env


def say(program, server, *words, stdin=None):
    folder, env = server
    done = subprocess.run([program, *words], env=env, cwd=folder, capture_output=True, text=True, timeout=20, input=stdin)
    return done.returncode, canonical(done.stdout), canonical(done.stderr)


def test_questions(server):
    folder, _ = server
    sock = f"unix:{folder}/db.sock"
    for words in [
        [], ["foo"], ["list-dbs"], ["list-dbs", sock], ["list-dbs", "unix:/nonexist"], ["list-dbs", "a", "b"],
        ["get-schema-version"], ["get-schema-version", sock], ["get-schema-version", "Open_vSwitch"], ["get-schema-version", "_Server"],
        ["get-schema-version", sock, "Foo"], ["get-schema-cksum"], ["get-schema"], ["--pretty", "get-schema", sock, "_Server"],
        ["list-tables"], ["list-tables", "_Server"], ["-f", "csv", "list-tables"], ["--no-headings", "list-tables"],
        ["list-columns"], ["list-columns", "Manager"], ["list-columns", "Open_vSwitch", "Manager"], ["-f", "csv", "list-columns", "Manager"],
        ["list-columns", "Foo"],
        ["transact", '["Open_vSwitch",{"op":"select","table":"Port","where":[["name","==","p1"]],"columns":["name","tag"]}]'],
        ["--pretty", "transact", '["Open_vSwitch",{"op":"select","table":"Port","where":[["name","==","p1"]],"columns":["name","tag"]}]'],
        ["transact", '["Open_vSwitch",{"op":"foo"}]'], ["transact", '["Foo"]'], ["transact", "x"], ["transact", "{}"], ["transact", "[1]"], ["transact"],
        ["transact", sock, '["Open_vSwitch",{"op":"comment","comment":"x"}]'],
        ["query", '["Open_vSwitch",{"op":"delete","table":"Manager","where":[]}]'],
        ["query", '["Open_vSwitch",{"op":"foo"}]'],
        ["dump", "Manager"], ["dump", "Open_vSwitch", "Manager"], ["dump", sock, "Open_vSwitch", "Port", "name", "tag"], ["dump", "Port", "tag", "name"],
        ["dump", "Foo"], ["dump", "Port", "foo"], ["-f", "json", "dump", "Port", "name"], ["-f", "list", "dump", "Port", "name", "tag"],
        ["-f", "html", "-d", "bare", "dump", "Port", "name", "tag"], ["dump"],
        ["needs-conversion", SCHEMA], ["needs-conversion", OLD_SCHEMA], ["needs-conversion", "none"],
        ["wait", "Open_vSwitch", "connected"], ["wait", "Open_vSwitch", "added"], ["wait", "Foo", "removed"], ["wait", "Foo", "bar"],
        ["-t", "1", "wait", "Foo", "added"],
        ["monitor", "Foo"], ["monitor"],
    ]:
        theirs, ours = say(PEER, server, *words), say(OURS, server, *words)
        assert (ours[0], sorted(ours[1].splitlines()), ours[2]) == (theirs[0], sorted(theirs[1].splitlines()), theirs[2]), words


def watch(program, server, *words):
    """What it prints while three changes happen, line by line sorted within each table."""
    folder, env = server
    change = lambda *w: run("/usr/bin/ovs-vsctl", "--no-wait", *w, env=env)
    change("set-manager", "ptcp:5")
    process = subprocess.Popen([program, *words], env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    os.set_blocking(process.stdout.fileno(), False)
    seen = b""

    def grows():
        nonlocal seen
        more = process.stdout.read() or b""
        seen += more
        return more

    eventually(grows)
    for line in ("set manager ptcp:5 max_backoff=2000", "set-manager ptcp:6 ptcp:7", "set-manager ptcp:5"):
        change(*line.split())
        eventually(grows)
    process.send_signal(signal.SIGINT)
    process.wait()
    tables = [sorted(table.splitlines()) for table in canonical(seen.decode()).split("\n\n")]
    return sorted(tables) if "list" in words else tables  # where each row is a block of its own


@pytest.mark.parametrize("words", [
    "monitor Manager target,max_backoff", "monitor Open_vSwitch Manager target max_backoff,!initial", "-f csv monitor Manager target,max_backoff",
    "monitor Manager target,max_backoff", "monitor Manager", "monitor-cond Open_vSwitch [] Manager target,max_backoff",
    "-f list monitor Manager target,max_backoff", "-d bare monitor Manager target,external_ids,max_backoff"])
def test_monitor(server, words):
    theirs, ours = watch(PEER, server, *words.split()), watch(OURS, server, *words.split())
    assert ours == theirs


def test_monitor_cond_since(server):
    folder, env = server
    theirs, ours = (watch(p, server, "monitor-cond-since", "Open_vSwitch", "[]", "Manager", "target,max_backoff") for p in (PEER, OURS))
    assert ours == theirs
    theirs, ours = (watch(p, server, "monitor-cond", "Open_vSwitch", '[["target","==","ptcp:5"]]', "Manager", "target,max_backoff") for p in (PEER, OURS))
    assert ours == theirs


def test_backup_and_restore(server):
    folder, env = server
    contents = lambda program: sorted(say(program, server, "-f", "csv", "dump")[1].splitlines())
    before = contents(OURS)
    code, backup, _ = subprocess_backup(OURS, server)
    assert code == 0
    run("/usr/bin/ovs-vsctl", "--no-wait", "del-br", "br0", "--", "del-manager", env=env)
    assert contents(OURS) != before
    (folder / "backup.db").write_bytes(backup)
    assert run("/usr/bin/ovsdb-tool", "db-name", folder / "backup.db").strip() == "Open_vSwitch"
    for program in (OURS, PEER):
        with open(folder / "backup.db") as f:
            done = subprocess.run([program, "restore"], env=env, stdin=f, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert contents(PEER) == before
    _, theirs, _ = subprocess_backup(PEER, server)
    (folder / "theirs.db").write_bytes(theirs)
    with open(folder / "theirs.db") as f:
        assert subprocess.run([OURS, "restore"], env=env, stdin=f).returncode == 0
    assert contents(PEER) == before


def subprocess_backup(program, server):
    done = subprocess.run([program, "backup"], env=server[1], capture_output=True)
    return done.returncode, done.stdout, done.stderr


def test_convert(server):
    for program in (OURS, PEER):
        assert say(program, server, "convert", OLD_SCHEMA) == (0, "", "")
        assert say(program, server, "needs-conversion", OLD_SCHEMA)[1] == "no\n"
        assert say(program, server, "convert", SCHEMA) == (0, "", "")
    assert say(OURS, server, "convert", "none") == say(PEER, server, "convert", "none")


def test_locks(server):
    folder, env = server

    def locker(program, *words):
        p = subprocess.Popen([program, *words], env=env, stdout=subprocess.PIPE, text=True, bufsize=1)
        return p, p.stdout.readline()

    first, answer = locker(OURS, "lock", "x")
    assert json.loads(answer) == {"locked": True}
    second, answer = locker(OURS, "lock", "x")
    assert json.loads(answer) == {"locked": False}
    thief, answer = locker(PEER, "steal", "x")
    assert json.loads(answer) == {"locked": True}
    assert [first.stdout.readline(), first.stdout.readline()] == ["stolen\n", '["x"]\n']
    thief.kill()
    assert first.stdout.readline() == "locked\n"
    for p in (first, second, thief):
        p.kill()
        p.wait()


def test_detached_monitor(server):
    folder, env = server
    with open(folder / "seen", "w") as out:
        done = subprocess.run([OURS, "--detach", "--no-chdir", f"--pidfile={folder}/m.pid", f"--unixctl={folder}/m.ctl", "-f", "csv", "monitor", "Manager", "target"],
                              env=env, stdout=out, stderr=subprocess.DEVNULL, timeout=10)
    assert done.returncode == 0
    assert "initial" in (folder / "seen").read_text()
    run("/usr/bin/ovs-vsctl", "--no-wait", "set-manager", "ptcp:9", env=env)
    eventually(lambda: "ptcp:9" in (folder / "seen").read_text())
    run("/usr/bin/ovs-appctl", "-t", folder / "m.ctl", "exit")
    eventually(lambda: not (folder / "m.pid").exists())
