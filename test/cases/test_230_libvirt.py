"""The ten shapes of ovs-vsctl lines that libvirt sends, and what it reads from the answers."""
import json
import re

from lab import eventually

MAC, UUID, VM = "52:54:00:11:22:33", "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-aaaaaaaaaaaa"


def attach(sw, bridge, tap, *vlan):
    sw.vsctl("--", "--may-exist", "add-port", bridge, tap, *vlan,
             "--", "set", "Interface", tap, f'external-ids:attached-mac="{MAC}"',
             "--", "set", "Interface", tap, f'external-ids:iface-id="{UUID}"',
             "--", "set", "Interface", tap, f'external-ids:vm-id="{VM}"',
             "--", "set", "Interface", tap, "external-ids:iface-status=active")


def test_attach_a_tap_and_detach_it(lab, br0):
    a, b = lab.host("vnet0", br0), lab.host("vnet1", br0)
    attach(br0, "br0", "vnet0", "tag=10")
    attach(br0, "br0", "vnet1", "vlan_mode=native-untagged", "tag=10", "trunk=10,20")
    assert a.pings(b)
    assert br0.interface("vnet0")["external_ids"] == {"attached-mac": MAC, "iface-id": UUID, "vm-id": VM, "iface-status": "active"}
    assert br0.vsctl("iface-to-br", "vnet0") == "br0"
    attach(br0, "br0", "vnet0", "tag=10")  # once more: --may-exist
    br0.vsctl("--", "--if-exists", "del-port", "vnet0")
    br0.vsctl("--", "--if-exists", "del-port", "vnet0")
    assert br0.vsctl("iface-to-br", "vnet0", check=False).returncode != 0
    assert not a.pings(b, count=1)


def test_migration_data(lab, br0):
    lab.host("vnet0", br0)
    attach(br0, "br0", "vnet0")
    br0.vsctl("set", "Interface", "vnet0", "external_ids:PortData=some-bytes")
    assert br0.vsctl("--if-exists", "get", "Interface", "vnet0", "external_ids:PortData").strip('"') == "some-bytes"


def test_statistics_as_libvirt_reads_them(lab, br0):
    a, b = lab.host("vnet0", br0), lab.host("vnet1", br0)
    attach(br0, "br0", "vnet0")
    attach(br0, "br0", "vnet1")
    assert a.pings(b)

    def statistics():
        line = br0.vsctl("--if-exists", "--format=list", "--data=json", "--no-headings", "--columns=statistics", "list", "Interface", "vnet0")
        kind, pairs = json.loads(line)
        assert kind == "map"
        return dict(pairs)

    eventually(lambda: statistics()["rx_packets"] > 0 and statistics()["tx_packets"] > 0, 8, 0.2)
    assert {f"{d}_{what}" for d in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")} <= set(statistics())


def test_vlan_update_of_a_running_port(lab, br0):
    a, b = lab.host("vnet0", br0), lab.host("vnet1", br0)
    attach(br0, "br0", "vnet0", "tag=10")
    attach(br0, "br0", "vnet1", "tag=20")
    assert not a.pings(b, count=1)
    br0.vsctl("--", "--if-exists", "clear", "Port", "vnet1", "tag", "--", "--if-exists", "clear", "Port", "vnet1", "trunk",
              "--", "--if-exists", "clear", "Port", "vnet1", "vlan_mode", "--", "--if-exists", "set", "Port", "vnet1", "tag=10")
    assert a.pings(b)


def test_qos_lines_are_accepted_and_told(lab, br0):
    lab.host("vnet0", br0)
    attach(br0, "br0", "vnet0")
    ids = (f'external-ids:vm-id="{VM}"', 'external-ids:ifname="vnet0"')
    assert br0.vsctl("--no-heading", "--columns=_uuid", "find", "queue", *ids) == ""
    br0.vsctl("set", "port", "vnet0", "qos=@qos1", *ids, "--", "--id=@qos1", "create", "qos", "type=linux-htb", "other_config:min-rate=1000000",
              "queues:0=@queue0", *ids, "--", "--id=@queue0", "create", "queue", "other_config:min-rate=1000000", *ids)
    qos = re.search(r"[0-9a-f-]{36}", br0.vsctl("get", "port", "vnet0", "qos")).group()
    (queue,) = [r["_uuid"] for r in br0.rows("Queue")]
    br0.vsctl("remove", "port", "vnet0", "qos", qos)
    br0.vsctl("destroy", "qos", qos)
    br0.vsctl("destroy", "queue", queue)
    br0.vsctl("set", "Interface", "vnet0", "ingress_policing_rate=1000", "ingress_policing_burst=100")
    br0.vsctl("set", "Interface", "vnet0", "ingress_policing_rate=0", "ingress_policing_burst=0")
