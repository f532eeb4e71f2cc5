"""Many ports, and patch ports between bridges."""
import concurrent.futures

from lab import eventually, frame


def test_two_hundred_ports(lab, br0):
    """200 ports in one transaction; a broadcast reaches the last; removing them all leaves a working bridge."""
    first, last = lab.host("h0", br0), lab.host("h199", br0)
    names = [f"h{i}" for i in range(200)]
    for i in range(1, 199):
        br0.inside("ip", "link", "add", f"h{i}", "type", "veth", "peer", "name", f"x{i}")
        br0.inside("ip", "link", "set", "dev", f"h{i}", "up")
    words = []
    for name in names:
        words += ["--", "add-port", "br0", name]
    br0.vsctl(*words, timeout=60)
    assert first.pings(last)
    ports = {r["name"]: r["ofport"] for r in br0.rows("Interface", "name", "ofport")}
    assert all(ports[n] > 0 for n in names)
    assert len({ports[n] for n in names}) == 200
    words = []
    for name in names[1:199]:
        words += ["--", "del-port", "br0", name]
    br0.vsctl(*words, timeout=60)
    assert br0.vsctl("list-ports", "br0").split() == ["h0", "h199"]
    assert first.pings(last)


def test_ports_one_by_one(lab, br0):
    for i in range(40):
        br0.inside("ip", "link", "add", f"h{i}", "type", "veth", "peer", "name", f"x{i}")
        br0.add_port("br0", f"h{i}")
        if i % 3 == 0:
            br0.vsctl("del-port", "br0", f"h{i}")
    assert len(br0.vsctl("list-ports", "br0").split()) == 40 - 14


def test_patch_ports_join_bridges(lab, sw):
    sw.add_bridge("br0")
    sw.add_bridge("br1")
    a, b = lab.host("a", sw), lab.host("b", sw)
    sw.add_port("br0", "a", "tag=5")
    sw.add_port("br1", "b", "tag=5")
    assert not a.pings(b, count=2)
    sw.vsctl("add-port", "br0", "p0", "--", "set", "interface", "p0", "type=patch", "options:peer=p1",
             "--", "add-port", "br1", "p1", "--", "set", "interface", "p1", "type=patch", "options:peer=p0")
    assert a.pings(b)
    sw.vsctl("set", "port", "p1", "tag=6")
    eventually(lambda: not a.pings(b, count=1))
    sw.vsctl("clear", "port", "p1", "tag")
    eventually(lambda: a.pings(b, count=1))
    sw.vsctl("del-port", "p1")
    assert not a.pings(b, count=2)


def test_a_broadcast_arrives_once(lab, br0):
    hosts = [lab.host(f"h{i}", br0) for i in range(8)]
    for h in hosts:
        br0.add_port("br0", h.cable)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        captures = list(pool.map(lambda h: h.capture(), hosts))
    hosts[0].send(frame(src=hosts[0].mac, payload=b"once"), frame(src=hosts[0].mac, payload=b"last"))
    for c in captures[1:]:
        c.frames(1, lambda f: f.payload.startswith(b"last"))
        assert len(c.frames(where=lambda f: f.payload.startswith(b"once"))) == 1
    assert not captures[0].frames(where=lambda f: f.payload.startswith(b"once"))  # never back where it came from
