"""Real clients of the field, unchanged, on our database."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from database import Database, insert, select
from lab import eventually, run

VSWITCH = "/usr/share/openvswitch/vswitch.ovsschema"
OVN = pathlib.Path("/usr/share/ovn")


def serve(tmp_path, schema_file, **more):
    return Database(tmp_path, json.loads(pathlib.Path(schema_file).read_text()), **more)


def tool(db, program, *words, **more):
    return run(program, f"--db=unix:{db.sock}", "--timeout=10", *words, **more)


def test_ovs_vsctl(tmp_path):
    with serve(tmp_path, VSWITCH) as db:
        vsctl = lambda *words, **more: tool(db, "ovs-vsctl", "--no-wait", *words, **more)
        vsctl("init")
        vsctl("add-br", "br0", "--", "set", "bridge", "br0", "fail-mode=secure", "other-config:hwaddr=00:00:00:00:00:01")
        vsctl("add-br", "vlan2", "br0", "2")
        vsctl("add-bond", "br0", "bond0", "e0", "e1", "lacp=active")
        vsctl("add-port", "br0", "p1", "tag=5", "--", "set", "interface", "p1", "type=internal", "external-ids:iface-id=x")
        assert vsctl("list-ports", "br0").split() == ["bond0", "p1"]
        assert vsctl("br-to-vlan", "vlan2") == "2\n"
        assert vsctl("get", "interface", "p1", "external_ids") == "{iface-id=x}\n"
        assert vsctl("--columns=name", "--bare", "find", "port", "tag=5") == "p1\n"
        vsctl("--", "--id=@m", "create", "mirror", "name=m0", "--", "add", "bridge", "br0", "mirrors", "@m")
        assert vsctl("get", "bridge", "br0", "mirrors").strip() == f"[{vsctl('get', 'mirror', 'm0', '_uuid').strip()}]"
        assert vsctl("set", "port", "p1", "vlan_mode=foo", check=False).stderr.startswith("ovs-vsctl: constraint violation: foo is not one of")
        vsctl("wait-until", "interface", "p1", "name=p1")
        vsctl("del-br", "br0")
        assert vsctl("show").count("\n") == 1
        assert vsctl("list", "interface") == ""


def test_ovsdb_client(tmp_path):
    with serve(tmp_path, VSWITCH) as db:
        where = f"unix:{db.sock}"
        client = lambda *words, **more: run("ovsdb-client", "--timeout=10", *words, **more)
        assert client("list-dbs", where).split() == ["Open_vSwitch", "_Server"]
        schema = json.loads(client("get-schema", where))
        assert {t: set(c["columns"]) for t, c in schema["tables"].items()} == {t: set(c["columns"]) for t, c in db.schema["tables"].items()}
        assert client("get-schema-version", where).strip() == db.schema["version"]
        assert client("get-schema-cksum", where).strip() == db.schema["cksum"]
        assert client("needs-conversion", where, VSWITCH) == "no\n"
        client("wait", where, "Open_vSwitch", "connected")
        client("transact", where, json.dumps(["Open_vSwitch", insert("Open_vSwitch", db_version="1"), {"op": "commit", "durable": True}]))
        (tmp_path / "saved").write_text(client("backup", where))
        client("transact", where, json.dumps(["Open_vSwitch", {"op": "update", "table": "Open_vSwitch", "where": [], "row": {"db_version": "2"}}]))
        run("sh", "-c", 'ovsdb-client --timeout=10 restore "$1" < "$2"', "sh", where, tmp_path / "saved")
        assert client("--data=bare", "--no-headings", "query", where, json.dumps(["Open_vSwitch", select("Open_vSwitch", ["db_version"])])).count("1")
        for kind in ("monitor", "monitor-cond", "monitor-cond-since"):
            extra = ["[]"] if kind == "monitor-cond" else []
            words = {"monitor": ["Open_vSwitch", "db_version"], "monitor-cond": ["Open_vSwitch", "[true]", "Open_vSwitch", "db_version"],
                     "monitor-cond-since": ["Open_vSwitch", "00000000-0000-0000-0000-000000000000", "[true]", "Open_vSwitch", "db_version"]}[kind]
            p = subprocess.Popen(["ovsdb-client", "--timeout=5", kind, where, *(["Open_vSwitch"] if kind == "monitor" else []), *words],
                                 stdout=subprocess.PIPE, text=True)
            assert "row" in p.stdout.readline() + p.stdout.readline()
            p.kill()
            p.wait()


def test_a_conversion_online(tmp_path):
    with serve(tmp_path, VSWITCH) as db:
        c, plain = db.connect(), db.connect()
        c.ask("set_db_change_aware", [True])
        c.ask("monitor", ["Open_vSwitch", "m", {"Open_vSwitch": {}}])
        db.transact(insert("Open_vSwitch", db_version="1"))
        while c.receive()["method"] != "update":
            pass
        new = json.loads(json.dumps(db.schema))
        new["version"] = "99.0.0"
        new["tables"]["Open_vSwitch"]["columns"]["novel"] = {"type": "string"}
        del new["tables"]["Open_vSwitch"]["columns"]["ovs_version"]
        (tmp_path / "new").write_text(json.dumps(new))
        run("ovsdb-client", "--timeout=10", "convert", f"unix:{db.sock}", tmp_path / "new")
        assert c.receive() == {"id": None, "method": "monitor_canceled", "params": ["m"]}
        rows = c.transact("Open_vSwitch", select("Open_vSwitch", ["db_version", "novel"]))[0]["rows"]
        assert rows == [{"db_version": "1", "novel": ""}]
        with pytest.raises(Exception):  # who does not know conversions was disconnected
            plain.ask("list_dbs", [])
    assert run("ovsdb-tool", "db-version", db.file).strip() == "99.0.0"
    with db:
        assert db.transact(select("Open_vSwitch", ["novel"]))[0]["rows"] == [{"novel": ""}]


PYTHON_IDL = """
import sys, ovs.db.idl, ovs.poller, ovs.jsonrpc
helper = ovs.db.idl.SchemaHelper(sys.argv[2])
helper.register_all()
idl = ovs.db.idl.Idl(sys.argv[1], helper, leader_only=False)

def wait(done):
    while not done():
        poller = ovs.poller.Poller()
        if not idl.run():
            idl.wait(poller)
            poller.timer_wait(5000)
            if not done():
                poller.block()

def commit(txn):
    status = txn.commit_block()
    assert status in (txn.SUCCESS, txn.UNCHANGED), (status, txn.get_error())

wait(lambda: idl.has_ever_connected())
txn = ovs.db.idl.Transaction(idl)
root = txn.insert(idl.tables["Open_vSwitch"])
root.db_version = "1"
commit(txn)
wait(lambda: len(idl.tables["Open_vSwitch"].rows) == 1)
for n in range(20):
    root = list(idl.tables["Open_vSwitch"].rows.values())[0]
    txn = ovs.db.idl.Transaction(idl)
    root.verify("bridges")
    br = txn.insert(idl.tables["Bridge"])
    br.name = "br%d" % n
    br.external_ids = {"n": str(n), "a": "b"}
    root.addvalue("bridges", br)
    root.setkey("external_ids", "last", str(n))
    commit(txn)
root = list(idl.tables["Open_vSwitch"].rows.values())[0]
txn = ovs.db.idl.Transaction(idl)
for br in list(root.bridges)[:10]:
    root.delvalue("bridges", br)
commit(txn)
wait(lambda: len(idl.tables["Bridge"].rows) == 10)
assert root.external_ids["last"] == "19"
print("fine")
"""


def test_python_idl(tmp_path):
    pytest.importorskip("ovs.db.idl")
    with serve(tmp_path, VSWITCH) as db:
        assert run("/usr/bin/python3", "-c", PYTHON_IDL, f"unix:{db.sock}", VSWITCH) == "fine\n"


OVSDBAPP = """
import sys
from ovsdbapp.backend.ovs_idl import connection
from ovsdbapp.schema.open_vswitch import impl_idl
idl = connection.OvsdbIdl.from_server(sys.argv[1], "Open_vSwitch")
api = impl_idl.OvsdbIdl(connection.Connection(idl=idl, timeout=10))
api.add_br("br0", datapath_type="netdev").execute(check_error=True)
api.add_port("br0", "p0").execute(check_error=True)
api.db_set("Interface", "p0", ("external_ids", {"iface-id": "x"}), ("type", "internal")).execute(check_error=True)
assert api.list_ports("br0").execute(check_error=True) == ["p0"]
assert api.db_get("Interface", "p0", "external_ids").execute(check_error=True) == {"iface-id": "x"}
with api.transaction(check_error=True) as t:
    t.add(api.del_port("p0"))
    t.add(api.del_br("br0"))
assert api.list_br().execute(check_error=True) == []
print("fine")
"""


def test_ovsdbapp(tmp_path):
    pytest.importorskip("ovsdbapp")
    with serve(tmp_path, VSWITCH) as db:
        tool(db, "ovs-vsctl", "--no-wait", "init")
        # It waits for a switch to answer; here is none, so answer for it.
        tool(db, "ovs-vsctl", "--no-wait", "set", "open", ".", "cur_cfg=1000000")
        assert run("/usr/bin/python3", "-c", OVSDBAPP, f"unix:{db.sock}") == "fine\n"


@pytest.mark.skipif(not shutil.which("ovn-northd"), reason="needs Debian's ovn-central")
def test_ovn(tmp_path):
    nb, sb = serve(tmp_path, OVN / "ovn-nb.ovsschema", name="nb"), serve(tmp_path, OVN / "ovn-sb.ovsschema", name="sb")
    with nb, sb:
        northd = subprocess.Popen(["ovn-northd", f"--ovnnb-db=unix:{nb.sock}", f"--ovnsb-db=unix:{sb.sock}", f"--unixctl={tmp_path}/northd.ctl",
                                   "-vconsole:off", "-vsyslog:off"])
        try:
            nbctl = lambda *words: tool(nb, "ovn-nbctl", "--wait=sb", *words)
            nbctl("ls-add", "s0")
            nbctl("lsp-add", "s0", "p0", "--", "lsp-set-addresses", "p0", "00:00:00:00:00:02 10.0.0.2")
            nbctl("lr-add", "r0", "--", "lrp-add", "r0", "rp0", "00:00:00:00:00:01", "10.0.0.1/24")
            nbctl("acl-add", "s0", "from-lport", "100", "ip4", "allow-related")
            nbctl("lb-add", "lb0", "10.0.0.5:80", "10.0.0.6:80,10.0.0.7:80", "--", "ls-lb-add", "s0", "lb0")
            nbctl("pg-add", "pg0", "p0")
            assert "lr_in_ip_routing" in tool(sb, "ovn-sbctl", "lflow-list")
            assert "p0" in tool(sb, "ovn-sbctl", "show") + tool(sb, "ovn-sbctl", "list", "port_binding")
            nbctl("lsp-del", "p0")  # the weak reference in the port group goes with it
            assert tool(nb, "ovn-nbctl", "--bare", "--columns=ports", "list", "port_group").strip() == ""
            nbctl("lr-del", "r0", "--", "ls-del", "s0")
            assert tool(sb, "ovn-sbctl", "list", "logical_flow") == ""
        finally:
            northd.send_signal(signal.SIGTERM)
            northd.wait(10)


@pytest.mark.skipif(not os.path.exists("/usr/sbin/ovs-vswitchd") or os.geteuid() != 0, reason="needs Debian's ovs-vswitchd and root")
def test_debians_switch_on_our_database(tmp_path):
    with serve(tmp_path, VSWITCH) as db:
        tool(db, "ovs-vsctl", "--no-wait", "init")
        switch = subprocess.Popen(["ovs-vswitchd", f"unix:{db.sock}", "--enable-dummy=override", "--disable-system", f"--unixctl={tmp_path}/vswitchd.ctl",
                                   "-vconsole:off", "-vsyslog:off"], env=db.env)
        try:
            vsctl = lambda *words: tool(db, "ovs-vsctl", *words)  # each line returns when the switch has done it
            vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
            for i in range(5):
                vsctl("add-port", "br0", f"p{i}", "--", "set", "interface", f"p{i}", "type=dummy", f"ofport_request={i + 10}")
            assert vsctl("get", "interface", "p3", "ofport") == "13\n"
            assert vsctl("get", "open", ".", "next_cfg", "cur_cfg").split() == ["6", "6"]
            vsctl("del-br", "br0")
        finally:
            switch.send_signal(signal.SIGTERM)
            switch.wait(10)
