"""What the database says becomes what runs, and what runs is written back."""
import json

import pytest
from lab import OURS, PEER, Failed, eventually, run


@pytest.fixture(params=[OURS, PEER], ids=["our-db", "their-db"])
def any_db(request, lab):
    """Our switch behind our database server and behind Debian's, driven by Debian's ovs-vsctl."""
    return lab.switch(db=request.param, tools=PEER)


def test_add_br_makes_a_device_and_del_br_takes_it_away(any_db):
    any_db.vsctl("add-br", "br0")
    assert "br0" in any_db.devices()
    assert any_db.interface("br0")["ofport"] == 65534
    any_db.vsctl("del-br", "br0")
    eventually(lambda: "br0" not in any_db.devices())
    assert any_db.rows("Interface") == []


def test_columns_that_tell_what_is(lab, any_db):
    lab.host("a", any_db)
    any_db.add_bridge("br0", "other_config:hwaddr=00:16:3e:00:00:77")
    any_db.add_port("br0", "a", "tag=5")
    row = any_db.interface("a")
    link = json.loads(run("ip", "-n", any_db.ns, "-j", "link", "show", "dev", "a"))[0]
    assert row["ofport"] == 1
    assert row["mac_in_use"] == link["address"]
    assert row["ifindex"] == link["ifindex"]
    assert (row["admin_state"], row["link_state"], row["mtu"], row["error"]) == ("up", "up", 1500, [])
    assert row["status"]["driver_name"] == "veth"
    assert row["duplex"] == "full" and row["link_speed"] == 10_000_000_000
    assert {"rx_bytes", "rx_packets", "rx_dropped", "rx_errors", "tx_bytes", "tx_packets", "tx_dropped", "tx_errors", "collisions",
            "rx_crc_err", "rx_frame_err", "rx_over_err", "rx_missed_errors"} <= set(row["statistics"])
    (bridge,) = any_db.rows("Bridge")
    assert bridge["datapath_id"] == "000000163e000077"
    assert bridge["datapath_version"] == "<built-in>"
    assert any_db.interface("br0")["mac_in_use"] == "00:16:3e:00:00:77"


@pytest.mark.ours_only("the field leaves these to its start script")
def test_the_root_row_says_who_runs(sw):
    (root,) = sw.rows("Open_vSwitch")
    assert root["ovs_version"] == "3.7.1" and root["db_version"] == "8.8.0"
    assert root["system_type"] == "debian" and root["system_version"]
    assert sorted(root["datapath_types"]) == ["netdev", "system"]
    assert {"internal", "patch", "system", "tap"} <= set(root["iface_types"])
    assert root["dpdk_initialized"] is False


def test_link_changes_show_promptly(lab, br0):
    host = lab.host("a", br0)
    br0.add_port("br0", "a")
    host.run("ip", "link", "set", "dev", "eth0", "down")
    eventually(lambda: br0.interface("a")["link_state"] == "down", 2)
    host.run("ip", "link", "set", "dev", "eth0", "up")
    eventually(lambda: br0.interface("a")["link_state"] == "up", 2)
    br0.inside("ip", "link", "set", "dev", "a", "mtu", "1400")
    eventually(lambda: br0.interface("a")["mtu"] == 1400, 2)


def test_statistics_are_refreshed(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    before = br0.interface("a")["statistics"].get("rx_packets", 0)
    assert a.pings(b)
    eventually(lambda: br0.interface("a")["statistics"]["rx_packets"] > before, 8, 0.2)


@pytest.mark.ours_only("the field moves the others at the next change only")
def test_ofport_request_wins_and_others_move(lab, br0):
    for name in "abc":
        lab.host(name, br0)
    br0.add_port("br0", "a")
    assert br0.interface("a")["ofport"] == 1
    br0.add_port("br0", "b", "--", "set", "interface", "b", "ofport_request=1")
    assert br0.interface("b")["ofport"] == 1
    moved = br0.interface("a")["ofport"]
    assert moved not in (1, -1, [])
    br0.vsctl("set", "interface", "b", "ofport_request=77")
    assert br0.interface("b")["ofport"] == 77
    assert br0.interface("a")["ofport"] == moved
    br0.add_port("br0", "c", "--", "set", "interface", "c", "ofport_request=65279")
    assert br0.interface("c")["ofport"] == 65279


@pytest.mark.ours_only("the field's internal ports follow only what changes after them")
def test_mtu_request_and_internal_ports_that_follow(lab, br0):
    lab.host("a", br0)
    br0.add_port("br0", "a", "--", "set", "interface", "a", "mtu_request=9000")
    eventually(lambda: br0.interface("a")["mtu"] == 9000)
    br0.add_port("br0", "i", "--", "set", "interface", "i", "type=internal")
    eventually(lambda: br0.interface("i")["mtu"] == 9000)
    br0.vsctl("set", "interface", "i", "mtu_request=1300")
    eventually(lambda: br0.interface("i")["mtu"] == 1300)
    eventually(lambda: br0.interface("br0")["mtu"] == 9000)


def test_mac_of_an_internal_port(br0):
    br0.add_port("br0", "i", "--", "set", "interface", "i", "type=internal", 'mac="02:11:22:33:44:55"')
    eventually(lambda: br0.interface("i")["mac_in_use"] == "02:11:22:33:44:55")
    link = json.loads(run("ip", "-n", br0.ns, "-j", "link", "show", "dev", "i"))[0]
    assert link["address"] == "02:11:22:33:44:55"


def test_datapath_id_follows_what_is_asked(br0):
    br0.vsctl("set", "bridge", "br0", "other_config:datapath-id=00000000000000aa")
    eventually(lambda: br0.get("Bridge", "br0", "datapath_id") == '"00000000000000aa"')
    br0.vsctl("set", "bridge", "br0", "other_config:datapath-id=0xbb")
    eventually(lambda: br0.get("Bridge", "br0", "datapath_id") == '"00000000000000bb"')


def test_a_hundred_ports_in_one_transaction(br0):
    words = []
    for i in range(100):
        words += ["--", "add-port", "br0", f"i{i}", "--", "set", "interface", f"i{i}", "type=internal"]
    br0.vsctl(*words[1:])
    ports = [r["ofport"] for r in br0.rows("Interface", "name", "ofport") if r["name"] != "br0"]
    assert sorted(ports) == list(range(1, 101))
    br0.vsctl("del-br", "br0")
    eventually(lambda: br0.devices() == ["lo"])


def test_patch_ports_join_two_bridges(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_bridge("br1")
    br0.add_port("br1", "b")
    br0.add_port("br0", "p0", "--", "set", "interface", "p0", "type=patch", "options:peer=p1")
    assert not a.pings(b, count=1)
    br0.add_port("br1", "p1", "--", "set", "interface", "p1", "type=patch", "options:peer=p0")
    assert a.pings(b)
    assert br0.interface("p0")["link_state"] == "up"
    br0.vsctl("set", "interface", "p1", "options:peer=nobody")
    eventually(lambda: not a.pings(b, count=1))


def test_a_port_moves_from_bridge_to_bridge_in_one_transaction(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_bridge("br1")
    br0.add_port("br1", "b")
    assert not a.pings(b, count=1)
    br0.vsctl("del-port", "a", "--", "add-port", "br1", "a")
    assert a.pings(b)


def test_a_port_replaced_by_one_of_its_name_stays(lab, br0):
    lab.host("a", br0)
    lab.host("b", br0)
    br0.add_port("br0", "b")
    br0.add_port("br0", "a")
    before = br0.interface("a")["ofport"]
    br0.vsctl("--if-exists", "del-port", "a", "--", "add-port", "br0", "a", "tag=7")
    assert br0.interface("a")["ofport"] == before
    assert f"deleted interface a on port {before}" not in br0.log()


def test_tag_changes_take_effect_at_once(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a", "tag=5")
    br0.add_port("br0", "b", "tag=6")
    assert not a.pings(b, count=1)
    br0.vsctl("set", "port", "b", "tag=5")
    assert a.pings(b)
    br0.vsctl("clear", "port", "b", "tag", "--", "clear", "port", "a", "tag")
    assert a.pings(b)


def test_fake_bridges(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.vsctl("add-br", "vlan2", "br0", "2")
    br0.add_port("vlan2", "a")
    br0.add_port("br0", "b", "tag=2")
    assert a.pings(b)
    assert br0.vsctl("br-to-vlan", "vlan2") == "2"
    assert "vlan2" in br0.devices()
    br0.vsctl("del-br", "vlan2")
    eventually(lambda: "vlan2" not in br0.devices())


def test_active_backup_bond_fails_over(lab):
    far = lab.switch(name="far")
    near = lab.switch(name="near")
    for i in (1, 2):
        lab.cable(near, f"n{i}", far, f"f{i}")
    near.add_bridge("br0")
    far.add_bridge("br0")
    a, b = lab.host("a", near), lab.host("b", far)
    near.add_port("br0", "a")
    near.vsctl("add-bond", "br0", "bond0", "n1", "n2", "bond_mode=active-backup")
    far.add_port("br0", "b")
    far.add_port("br0", "f1")
    assert a.pings(b)
    active = near.get("Port", "bond0", "bond_active_slave").strip('"')
    assert active == near.interface("n1")["mac_in_use"]
    far.inside("ip", "link", "set", "dev", "f1", "down")
    far.vsctl("del-port", "f1", "--", "add-port", "br0", "f2")
    eventually(lambda: near.get("Port", "bond0", "bond_active_slave").strip('"') == near.interface("n2")["mac_in_use"])
    eventually(lambda: a.pings(b))


def test_cur_cfg_follows_next_cfg_also_on_failure(br0):
    br0.vsctl("--no-wait", "add-port", "br0", "nope")
    br0.vsctl("--no-wait", "set", "open_vswitch", ".", "next_cfg=1000")
    eventually(lambda: br0.get("Open_vSwitch", ".", "cur_cfg") == "1000")
    eventually(lambda: br0.interface("nope")["ofport"] == -1)


@pytest.mark.ours_only("the peer was asked elsewhere")
def test_statistics_of_the_machine_come_when_asked(br0):
    br0.vsctl("set", "open_vswitch", ".", "other_config:enable-statistics=true")
    eventually(lambda: "cpu" in (br0.rows("Open_vSwitch", "statistics")[0]["statistics"] or {}), 8, 0.2)
    br0.vsctl("set", "open_vswitch", ".", "other_config:enable-statistics=false")
    eventually(lambda: not br0.rows("Open_vSwitch", "statistics")[0]["statistics"], 8, 0.2)


@pytest.mark.ours_only("the field's device keeps the numbers of the old datapath")
def test_datapath_type_changes_under_way(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "b")
    br0.add_port("br0", "a")
    numbers = {r["name"]: r["ofport"] for r in br0.rows("Interface")}
    br0.vsctl("set", "bridge", "br0", "datapath_type=system")
    assert br0.appctl("dpctl/dump-dps") == "system@ovs-system"
    assert {r["name"]: r["ofport"] for r in br0.rows("Interface")} == numbers
    assert eventually(lambda: a.pings(b))
    assert "br0 65534/" in br0.appctl("dpif/show") and "(internal)" in br0.appctl("dpif/show")


def test_a_bridge_whose_local_port_the_database_does_not_mention(lab, sw):
    """As some clients insert it: a Bridge row, and no Port named like it."""
    transaction = ["Open_vSwitch", {"op": "insert", "table": "Bridge", "row": {"name": "br7", "datapath_type": "netdev"}, "uuid-name": "b"},
                   {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["bridges", "insert", ["named-uuid", "b"]]]}]
    sw.inside(sw.program("ovsdb-client"), "transact", "unix:" + str(sw.dir / "db.sock"), json.dumps(transaction))
    eventually(lambda: "br7" in sw.devices())
    a, b = lab.host("a", sw), lab.host("b", sw)
    sw.add_port("br7", "a")
    sw.add_port("br7", "b")
    assert a.pings(b)
    assert sw.interface("a")["ofport"] == 1
    sw.vsctl("del-br", "br7")
    eventually(lambda: "br7" not in sw.devices())


@pytest.mark.ours_only("the peer is older than JSON")
def test_show_commands_answer_in_json(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a", "tag=5")
    br0.add_port("br0", "b", "tag=5")
    assert a.pings(b)
    ask = lambda *words: json.loads(br0.appctl("--format=json", *words))
    assert {(e["mac"], e["port"], e["vlan"], e["static"]) for e in ask("fdb/show", "br0")} == {(a.mac, 1, 5, False), (b.mac, 2, 5, False)}
    (datapath,) = ask("dpif/show")
    assert datapath["name"] == "netdev@ovs-netdev"
    assert [(p["name"], p["ofport"]) for p in datapath["bridges"]["br0"]] == [("a", 1), ("b", 2), ("br0", 65534)]
    assert ask("fdb/stats-show", "br0")["entries"] == 2
    assert any(d["name"] == "no_rule" for d in ask("drops/show"))
    assert isinstance(ask("drops/last"), list)
