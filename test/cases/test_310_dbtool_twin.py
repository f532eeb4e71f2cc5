"""ovsdb-tool against Debian's: the same commands in two folders, and each reads what the other wrote."""
import os
import re
import shutil
import subprocess

import pytest

from lab import COMPAT

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCHEMA = os.path.join(ROOT, "src/ovsdb/vswitch.ovsschema")
OLD_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PEER = shutil.which("ovsdb-tool", path="/usr/bin:/bin")
OURS = str(COMPAT / "ovsdb-tool")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def canonical(text):
    text = re.sub(r"^\d{4}-\d\d-\d\dT[\d:.]+Z\|.*\n?", "", text, flags=re.M)  # log lines
    text = UUID.sub("U", text)
    text = re.sub(r"\b[0-9a-f]{8}\b(?=[):])", "u", text)
    text = re.sub(r"\d{4}-\d\d-\d\d [\d:.]+", "DATE", text)
    text = re.sub(r"line \d+, column \d+, byte \d+: [^)\n]*", "NOT JSON", text)
    return re.sub(r"ovsdb-tool \d+\.\d+\.\d+", "ovsdb-tool X", text)


@pytest.fixture
def folders(lab):
    for name in ("peer", "ours"):
        (lab.dir / name).mkdir()
    return lab.dir / "peer", lab.dir / "ours"


def say(program, folder, *words):
    env = os.environ | {"OVS_DBDIR": str(folder), "OVS_RUNDIR": str(folder), "OVS_PKGDATADIR": "/usr/share/openvswitch"}
    done = subprocess.run([program, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=20)
    return done.returncode, *(canonical(text.replace(str(folder), "DIR")) for text in (done.stdout, done.stderr))


def same(folders, *words):
    theirs, ours = say(PEER, folders[0], *words), say(OURS, folders[1], *words)
    assert ours == theirs, words
    return ours


INSERT = '["Open_vSwitch",{"op":"insert","table":"Bridge","row":{"name":"br0","ports":["named-uuid","p"]}},' \
         '{"op":"insert","table":"Port","uuid-name":"p","row":{"name":"p0","interfaces":["named-uuid","i"]}},' \
         '{"op":"insert","table":"Interface","uuid-name":"i","row":{"name":"p0"}},' \
         '{"op":"insert","table":"Open_vSwitch","row":{"bridges":["named-uuid","b"],"external_ids":["map",[["a","b"]]]}},' \
         '{"op":"comment","comment":"first \\"light\\"\\nsecond line"}]'.replace('"table":"Bridge",', '"table":"Bridge","uuid-name":"b",')


def test_commands(folders):
    for words in [
        [], ["foo"], ["create", "a.db", SCHEMA], ["create", "a.db", SCHEMA], ["create", "b.db", "none"], ["create", "a", "b", "c"],
        ["create", "/none/b.db", SCHEMA], ["create"], ["create"],
        ["db-name"], ["db-version"], ["db-cksum"], ["db-name", "a.db"], ["db-version", "a.db"], ["db-cksum", "a.db"], ["db-name", "none"],
        ["schema-name"], ["schema-version"], ["schema-cksum"], ["schema-name", SCHEMA], ["schema-version", SCHEMA], ["schema-cksum", SCHEMA],
        ["schema-name", "a.db"], ["schema-name", "none"],
        ["compare-versions", "1.2.3", "<", "1.3.0"], ["compare-versions", "1.2.3", ">", "1.3.0"], ["compare-versions", "1.2.3", "==", "1.2.3"],
        ["compare-versions", "1.2.3", "!=", "1.2.3"], ["compare-versions", "10.2.3", ">=", "9.9.9"], ["compare-versions", "1.2.3", "<=", "1.2.2"],
        ["compare-versions", "1.2", "==", "1.3.0"], ["compare-versions", "1.2.3", "foo", "1.3.0"], ["compare-versions", "1.2.3"],
        ["db-is-standalone", "a.db"], ["db-is-clustered", "a.db"], ["db-is-clustered", "none"],
        ["db-cid", "a.db"], ["db-sid", "a.db"], ["db-local-address", "a.db"],
        ["needs-conversion", "a.db", SCHEMA], ["needs-conversion", "a.db", OLD_SCHEMA], ["needs-conversion", "a.db", "none"],
        ["transact", "a.db", INSERT], ["transact", "a.db", INSERT],
        ["query", "a.db", '["Open_vSwitch",{"op":"select","table":"Port","where":[],"columns":["name","tag"]}]'],
        ["query", "a.db", '["Open_vSwitch",{"op":"delete","table":"Bridge","where":[]},{"op":"select","table":"Bridge","where":[]}]'],
        ["query", "a.db", '["Open_vSwitch",{"op":"select","table":"Bridge","where":[],"columns":["name"]}]'],
        ["query", "a.db", '["Open_vSwitch",{"op":"select","table":"None","where":[]}]'],
        ["query", "a.db", '["Open_vSwitch",{"op":"foo"}]'], ["query", "a.db", '["Foo"]'], ["query", "a.db", '[]'], ["query", "a.db", 'x'],
        ["query", "a.db", '{}'], ["query", "none", '[]'],
        ["show-log", "a.db"], ["-m", "show-log", "a.db"], ["-m", "-m", "show-log", "a.db"], ["show-log", "-mm", "a.db"], ["show-log", "none"],
        ["compact", "a.db"], ["show-log", "a.db"], ["compact", "a.db", "c.db"], ["show-log", "c.db"],
        ["convert", "a.db", OLD_SCHEMA], ["db-version", "a.db"], ["show-log", "a.db"], ["convert", "a.db", SCHEMA, "d.db"], ["db-version", "d.db"],
        ["query", "d.db", '["Open_vSwitch",{"op":"select","table":"Port","where":[],"columns":["name","tag"]}]'],
    ]:
        code, out, err = say(PEER, folders[0], *words)
        if "-m" not in words and "-mm" not in words:
            assert say(OURS, folders[1], *words) == (code, out, err), words
        else:  # rows of one record may come in another order
            ours = say(OURS, folders[1], *words)
            assert (ours[0], sorted(ours[1].splitlines()), ours[2]) == (code, sorted(out.splitlines()), err), words


def test_each_reads_the_other(folders):
    peer, ours = folders
    for program, folder in ((PEER, peer), (OURS, ours)):
        assert say(program, folder, "create", "a.db", SCHEMA)[0] == 0
        assert say(program, folder, "transact", "a.db", INSERT)[0] == 0
    query = ["query", "a.db", '["Open_vSwitch",{"op":"select","table":"Bridge","where":[],"columns":["name","ports"]}]']
    for words in (query, ["show-log", "a.db"], ["db-cksum", "a.db"]):
        assert say(PEER, ours, *words) == say(OURS, ours, *words)
        assert say(PEER, peer, *words) == say(OURS, peer, *words)
    assert say(OURS, peer, "compact", "a.db")[0] == 0
    assert say(PEER, ours, "compact", "a.db")[0] == 0
    assert say(PEER, peer, *query) == say(OURS, ours, *query)


def test_what_is_not_a_database(folders):
    peer, ours = folders
    assert say(OURS, ours, "create", "a.db", SCHEMA)[0] == 0
    whole = (ours / "a.db").read_bytes()
    for name, data in {"empty": b"", "text": b"{}\n", "half": whole[: len(whole) // 2], "torn": whole + b"OVSDB JSON 99 0123",
                       "garbled": whole.replace(b"Bridge", b"bRIDGE", 1)}.items():
        (ours / name).write_bytes(data)
        code, out, err = say(OURS, ours, "transact", name, INSERT)
        assert code == 1 and err.startswith("ovsdb-tool: ") and not out, name
        assert (ours / name).read_bytes() == data, f"{name} was changed"


def test_a_served_file_is_locked(folders):
    peer, ours = folders
    assert say(OURS, ours, "create", "a.db", SCHEMA)[0] == 0
    server = subprocess.Popen(["/usr/sbin/ovsdb-server", "a.db", "--remote=punix:db.sock", "--unixctl=x.ctl", "-vconsole:off"], cwd=ours,
                              env=os.environ | {"OVS_RUNDIR": str(ours)})
    try:
        from lab import eventually
        eventually(lambda: (ours / "db.sock").exists())
        theirs, answer = say(PEER, ours, "transact", "a.db", INSERT), say(OURS, ours, "transact", "a.db", INSERT)
        assert answer == theirs
        assert answer[0] == 1
        assert say(OURS, ours, "query", "a.db", '["Open_vSwitch"]')[0] == 0
    finally:
        server.kill()
        server.wait()
