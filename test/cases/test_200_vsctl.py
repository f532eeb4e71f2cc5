"""ovs-vsctl, Debian's and ours, against the running product: bridges, ports, fake bridges, every table's generic commands."""
import json

import pytest

import lab as lab_module
from lab import Failed


@pytest.fixture(params=[lab_module.PEER, lab_module.OURS])
def vs(request, lab):
    """A running switch, driven by the ovs-vsctl of either make."""
    import os
    if request.param == lab_module.OURS and os.environ.get("SLUICE_PRODUCT") == lab_module.PEER:
        pytest.skip("our own tools are not looked at in a run about the peer")
    sw = lab.switch(tools=request.param)
    return sw


def code(sw, *words):
    return sw.vsctl(*words, check=False).returncode


def test_bridges_and_ports(vs):
    vs.vsctl("init")
    vs.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
    assert vs.vsctl("list-br") == "br0"
    assert code(vs, "br-exists", "br0") == 0 and code(vs, "br-exists", "br1") == 2
    assert code(vs, "add-br", "br0") == 1
    vs.vsctl("--may-exist", "add-br", "br0")
    for name in ("p1", "p2"):
        vs.vsctl("add-port", "br0", name, "tag=9", "--", "set", "interface", name, "type=internal")
    assert vs.vsctl("list-ports", "br0").split() == ["p1", "p2"]
    assert vs.vsctl("list-ifaces", "br0").split() == ["p1", "p2"]
    assert vs.vsctl("port-to-br", "p1") == "br0" and vs.vsctl("iface-to-br", "p2") == "br0"
    assert vs.vsctl("br-to-vlan", "br0") == "0" and vs.vsctl("br-to-parent", "br0") == "br0"
    assert code(vs, "port-to-br", "nobody") == 1
    assert code(vs, "del-port", "nobody") == 1
    vs.vsctl("--if-exists", "del-port", "nobody")
    vs.vsctl("del-port", "br0", "p1")
    assert vs.vsctl("list-ports", "br0") == "p2"
    vs.vsctl("br-set-external-id", "br0", "who", "me")
    assert vs.vsctl("br-get-external-id", "br0", "who") == "me"
    shown = vs.vsctl("show") + "\n"
    assert "    Bridge br0\n" in shown and "        Port p2\n            tag: 9\n            Interface p2\n                type: internal\n" in shown
    vs.vsctl("del-br", "br0")
    assert vs.vsctl("list-br") == ""
    assert code(vs, "del-br", "br0") == 1
    vs.vsctl("--if-exists", "del-br", "br0")


def test_fake_bridges(vs):
    vs.add_bridge("br0")
    vs.vsctl("add-br", "vlan2", "br0", "2")
    assert vs.vsctl("list-br").split() == ["br0", "vlan2"]
    assert vs.vsctl("--real", "list-br") == "br0" and vs.vsctl("--fake", "list-br") == "vlan2"
    assert vs.vsctl("br-to-vlan", "vlan2") == "2" and vs.vsctl("br-to-parent", "vlan2") == "br0"
    vs.vsctl("add-port", "vlan2", "p1", "--", "set", "interface", "p1", "type=internal")
    assert vs.get("port", "p1", "tag") == "2"
    assert vs.vsctl("list-ports", "vlan2") == "p1" and vs.vsctl("list-ports", "br0") == ""
    vs.vsctl("del-br", "vlan2")
    assert vs.vsctl("list-br") == "br0"


def test_lines_are_atomic(vs):
    vs.add_bridge("br0")
    done = vs.vsctl("add-port", "br0", "p1", "--", "set", "interface", "p1", "type=internal", "--", "add-br", "br0", check=False)
    assert done.returncode == 1 and "br0" in done.stderr
    assert vs.vsctl("list-ports", "br0") == ""


def test_generic_commands(vs):
    vs.add_bridge("br0")
    vs.vsctl("set", "bridge", "br0", "other-config:a=1", "other_config:b=two words", "stp_enable=true", "fail_mode=secure")
    assert vs.get("bridge", "br0", "other_config") == '{a="1", b="two words"}'
    assert vs.get("Bridge", "br0", "other_config:b") == '"two words"'
    assert vs.vsctl("--if-exists", "get", "bridge", "br0", "other_config:none") == ""
    assert code(vs, "get", "bridge", "br0", "other_config:none") == 1
    vs.vsctl("add", "bridge", "br0", "flood_vlans", "5", "7")
    assert vs.get("bridge", "br0", "flood_vlans") == "[5, 7]"
    vs.vsctl("remove", "bridge", "br0", "flood_vlans", "5")
    assert vs.get("bridge", "br0", "flood_vlans") == "[7]"
    vs.vsctl("clear", "bridge", "br0", "flood_vlans", "fail_mode")
    assert vs.get("bridge", "br0", "flood_vlans") == "[]"
    assert vs.vsctl("--bare", "--columns=name", "find", "bridge", "stp_enable=true") == "br0"
    assert vs.vsctl("--bare", "--columns=name", "find", "bridge", "other_config:a!=1") == ""
    rows = json.loads(vs.vsctl("-f", "json", "--columns=name,stp_enable", "list", "bridge"))
    assert rows == {"headings": ["name", "stp_enable"], "data": [["br0", True]]}
    assert vs.vsctl("-f", "csv", "--no-headings", "--columns=name", "list", "bridge") == "br0"
    uuid = vs.vsctl("--id=@m", "create", "mirror", "name=m0", "select_all=true", "--", "set", "bridge", "br0", "mirrors=@m")
    assert vs.get("mirror", "m0", "_uuid") == uuid
    vs.vsctl("clear", "bridge", "br0", "mirrors")
    assert vs.vsctl("--bare", "list", "mirror") == ""
    vs.vsctl("wait-until", "bridge", "br0", "other_config:a=1")
    queue = vs.vsctl("create", "queue", "other_config:max-rate=1000")
    assert vs.vsctl("list", "queue", queue)
    vs.vsctl("destroy", "queue", queue)
    assert code(vs, "list", "queue", queue) == 1


@pytest.mark.parametrize("table", ["Open_vSwitch", "Bridge", "Port", "Interface", "Flow_Table", "QoS", "Queue", "Mirror", "Controller", "Manager", "NetFlow",
                                   "SSL", "sFlow", "IPFIX", "Flow_Sample_Collector_Set", "AutoAttach", "Datapath", "CT_Zone", "CT_Timeout_Policy"])
def test_every_table_lists(lab_tables, table):
    lab_tables.vsctl("list", table)


@pytest.fixture(scope="module")
def lab_tables():
    lab = lab_module.Lab()
    yield lab.switch(tools=lab_module.PEER)
    lab.close()


def test_a_port_that_cannot_be_made(vs):
    vs.add_bridge("br0")
    done = vs.vsctl("add-port", "br0", "nosuchdevice", check=False)
    assert "nosuchdevice" in done.stderr
    assert vs.get("interface", "nosuchdevice", "ofport") == "-1"
    assert vs.get("interface", "nosuchdevice", "error") not in ('""', "[]")


def test_the_handshake(vs):
    before = int(vs.get("Open_vSwitch", ".", "cur_cfg"))
    vs.add_bridge("br0")
    after = int(vs.get("Open_vSwitch", ".", "cur_cfg"))
    assert after > before
    vs.vsctl("--no-wait", "set", "bridge", "br0", "external_ids:x=y")
    assert int(vs.get("Open_vSwitch", ".", "next_cfg")) == after


def test_emergency_reset(vs):
    vs.add_bridge("br0")
    vs.vsctl("set-controller", "br0", "tcp:127.0.0.1:6653")
    vs.vsctl("set", "bridge", "br0", "other_config:hwaddr=02:00:00:00:00:aa")
    vs.vsctl("emer-reset")
    assert vs.vsctl("get-controller", "br0") == ""
    assert vs.vsctl("list-br") == "br0"


def test_what_is_published(vs):
    (row,) = vs.rows("Open_vSwitch", "datapath_types", "iface_types", "ovs_version", "db_version")
    assert {"netdev", "system"} <= set(row["datapath_types"])
    assert {"system", "internal", "tap", "patch"} <= set(row["iface_types"])


def test_bonds(vs):
    vs.add_bridge("br0")
    vs.vsctl("add-bond", "br0", "bond0", "e1", "e2", "--", "set", "interface", "e1", "type=internal", "--", "set", "interface", "e2", "type=internal")
    assert vs.vsctl("list-ports", "br0") == "bond0" and vs.vsctl("list-ifaces", "br0").split() == ["e1", "e2"]


# ---- libvirt's ten shapes: the lines of its source, with the hyphens, cases and abbreviations it has. ----


def attach(vs, *vlan):
    vs.vsctl("--", "--may-exist", "add-port", "br0", "vnet0", *vlan, "--", "set", "Interface", "vnet0", 'external-ids:attached-mac="52:54:00:00:00:01"',
             "--", "set", "Interface", "vnet0", 'external-ids:iface-id="4ab07e4b-b3ea-4a3f-a8b1-bd8a8b5b0a0a"',
             "--", "set", "Interface", "vnet0", 'external-ids:vm-id="9a2c3a33-7c2f-4e2b-9a80-7e3d9f7c1a01"',
             "--", "set", "Interface", "vnet0", "external-ids:iface-status=active")


@pytest.fixture
def vnet(vs):
    vs.add_bridge("br0")
    vs.inside("ip", "tuntap", "add", "dev", "vnet0", "mode", "tap", "vnet_hdr")
    attach(vs)
    return vs


def test_libvirt_1_attach_2_detach(vnet):
    assert vnet.get("interface", "vnet0", "external_ids:attached-mac") == '"52:54:00:00:00:01"'
    assert int(vnet.get("interface", "vnet0", "ofport")) > 0
    attach(vnet)  # again is fine
    vnet.vsctl("--", "--if-exists", "del-port", "vnet0")
    vnet.vsctl("--", "--if-exists", "del-port", "vnet0")
    assert vnet.vsctl("list-ports", "br0") == ""


@pytest.mark.parametrize("words, mode, tag, trunks", [
    (["tag=5"], "[]", "5", "[]"),
    (["vlan_mode=native-tagged", "tag=5"], "native-tagged", "5", "[]"),
    (["vlan_mode=native-untagged", "tag=5", "trunk=5,6,7"], "native-untagged", "5", "[5, 6, 7]"),
    (["trunk=6,7"], "[]", "[]", "[6, 7]"),
])
def test_libvirt_1_with_vlans(vs, words, mode, tag, trunks):
    vs.add_bridge("br0")
    vs.inside("ip", "tuntap", "add", "dev", "vnet0", "mode", "tap")
    attach(vs, *words)
    assert [vs.get("port", "vnet0", c) for c in ("vlan_mode", "tag", "trunks")] == [mode, tag, trunks]


def test_libvirt_3_migration(vnet):
    assert vnet.vsctl("--timeout=5", "--if-exists", "get", "Interface", "vnet0", "external_ids:PortData") == ""
    vnet.vsctl("--timeout=5", "set", "Interface", "vnet0", "external_ids:PortData=opaque")
    assert vnet.vsctl("--timeout=5", "--if-exists", "get", "Interface", "vnet0", "external_ids:PortData") == "opaque"


def test_libvirt_4_statistics(vnet):
    from lab import eventually

    def read():
        text = vnet.vsctl("--timeout=5", "--if-exists", "--format=list", "--data=json", "--no-headings", "--columns=statistics", "list", "Interface", "vnet0")
        kind, pairs = json.loads(text)
        assert kind == "map"
        return dict(map(tuple, pairs))

    wanted = {f"{d}_{k}" for d in ("rx", "tx") for k in ("bytes", "packets", "errors", "dropped")}
    eventually(lambda: wanted <= set(read()))


def test_libvirt_5_whose_port(vnet):
    assert vnet.vsctl("iface-to-br", "vnet0") == "br0"
    assert code(vnet, "iface-to-br", "eth7") != 0


def test_libvirt_6_names(vnet):
    assert vnet.vsctl("--no-headings", "--columns=name", "find", "Interface", "options:vhost-server-path=/nowhere") == ""
    assert vnet.vsctl("get", "Interface", "vnet0", "name").strip('"') == "vnet0"


def test_libvirt_7_vlan_update(vnet):
    words = ["--", "--if-exists", "clear", "Port", "vnet0", "tag", "--", "--if-exists", "clear", "Port", "vnet0", "trunk",
             "--", "--if-exists", "clear", "Port", "vnet0", "vlan_mode"]
    vnet.vsctl(*words, "--", "--if-exists", "set", "Port", "vnet0", "vlan_mode=native-untagged", "tag=9", "trunk=9,10")
    assert vnet.get("port", "vnet0", "trunks") == "[9, 10]"
    vnet.vsctl(*words)
    assert vnet.get("port", "vnet0", "trunks") == "[]" and vnet.get("port", "vnet0", "tag") == "[]"


def test_libvirt_8_and_9_outbound_qos(vnet):
    ids = ['external-ids:vm-id="9a2c3a33"', 'external-ids:ifname="vnet0"']
    assert vnet.vsctl("--no-heading", "--columns=_uuid", "find", "queue", *ids) == ""
    vnet.vsctl("set", "port", "vnet0", "qos=@qos1", *ids,
               "--", "--id=@qos1", "create", "qos", "type=linux-htb", "other_config:min-rate=1000000", "other_config:max-rate=2000000", "queues:0=@queue0", *ids,
               "--", "--id=@queue0", "create", "queue", "other_config:min-rate=1000000", "other_config:max-rate=2000000", *ids)
    queue = vnet.vsctl("--no-heading", "--columns=_uuid", "find", "queue", *ids)
    qos = vnet.vsctl("--no-heading", "--columns=_uuid", "find", "qos", *ids)
    assert queue and qos
    queue, qos = (text.split(":")[-1].strip() for text in (queue, qos))
    vnet.vsctl("set", "queue", queue, "other_config:max-rate=3000000")
    vnet.vsctl("set", "qos", qos, "other_config:max-rate=3000000")
    found = vnet.vsctl("--no-heading", "--columns=_uuid", "--if-exists", "list", "port", "vnet0", "qos")
    assert found
    vnet.vsctl("remove", "port", "vnet0", "qos", qos)
    vnet.vsctl("destroy", "qos", qos)
    vnet.vsctl("destroy", "queue", queue)
    assert vnet.get("port", "vnet0", "qos") == "[]"


def test_libvirt_10_inbound_qos(vnet):
    vnet.vsctl("set", "Interface", "vnet0", "ingress_policing_rate=1000", "ingress_policing_burst=100")
    assert vnet.get("interface", "vnet0", "ingress_policing_rate") == "1000"
    vnet.vsctl("set", "Interface", "vnet0", "ingress_policing_rate=0", "ingress_policing_burst=0")


def test_what_is_refused_changes_nothing(vs):
    vs.add_bridge("br0")
    before = vs.vsctl("-f", "json", "list", "bridge")
    for words in (["set", "bridge", "br0", "no_such_column=1"], ["set", "bridge", "br0", "stp_enable=perhaps"], ["set", "port", "br0", "tag=4096"],
                  ["set", "bridge", "br0", "flood_vlans=abc"], ["set", "nosuchtable", "br0", "x=1"], ["set", "bridge", "nobody", "stp_enable=true"],
                  ["set", "bridge", "br0", "fail_mode=maybe"], ["set", "bridge", "br0", "name=other"], ["frobnicate"], ["add-br"], ["add-port", "br0"],
                  ["set", "interface", "br0", "ofport_request=0"], ["set", "bridge", "br0", "ports=[]x"]):
        done = vs.vsctl(*words, check=False)
        assert done.returncode == 1 and done.stderr, words
    assert vs.vsctl("-f", "json", "list", "bridge") == before
    with pytest.raises(Failed):
        vs.vsctl("add-port", "nobody", "p9")
