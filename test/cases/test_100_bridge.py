"""A bridge and two hosts: the least that a switch does."""
from lab import eventually, frame


def test_two_hosts_reach_each_other(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    assert a.pings(b)
    assert b.pings(a)
    assert a.pings(b.ip6)


def test_a_removed_port_carries_nothing(lab, br0):
    a, b = lab.host("a", br0), lab.host("b", br0)
    br0.add_port("br0", "a")
    br0.add_port("br0", "b")
    assert a.pings(b)
    br0.vsctl("del-port", "br0", "b")
    assert not a.pings(b)


def test_the_local_port_is_a_device_with_an_address(lab, br0):
    a = lab.host("a", br0)
    br0.add_port("br0", "a")
    br0.inside("ip", "address", "add", "10.0.0.100/24", "dev", "br0")
    br0.inside("ip", "link", "set", "dev", "br0", "up")
    assert a.pings("10.0.0.100")
    br0.vsctl("del-br", "br0")
    eventually(lambda: "br0" not in br0.devices())


# A station that exists only in frames made here: the hosts' own chatter cannot make it known again.
STATION = "02:aa:00:00:00:01"
ours = lambda f: f.ethertype == 0x88B5


def three_hosts(lab, sw):
    hosts = [lab.host(n, sw) for n in "abc"]
    for h in hosts:
        sw.add_port("br0", h.cable)
    return hosts


def test_first_unicast_is_flooded_and_the_second_is_not(lab, br0):
    a, b, c = three_hosts(lab, br0)
    with c.capture() as at_c, b.capture() as at_b:
        a.send(frame(dst=STATION, src=a.mac, payload=b"first"))
        at_b.frames(1, ours)
        at_c.frames(1, ours)  # nobody knows the station yet: everybody hears
        b.send(frame(dst=a.mac, src=STATION, payload=b"answer"))
        eventually(lambda: STATION in br0.appctl("fdb/show", "br0"))
        a.send(frame(dst=STATION, src=a.mac, payload=b"second"))
        at_b.frames(2, ours)
        a.send(frame(payload=b"last"))  # a broadcast behind it: what c has not by now it will not get
        at_c.frames(1, lambda f: f.payload.startswith(b"last"))
    assert [f.payload.rstrip(b"\0") for f in at_c.frames(where=ours)] == [b"first", b"last"]


def is_flooded(a, c):
    """Does a frame from a to the station reach c, which is not the station?"""
    with c.capture() as at_c:
        a.send(frame(dst=STATION, src=a.mac, payload=b"probe"), frame(payload=b"last"))
        at_c.frames(1, lambda f: f.payload.startswith(b"last"))
        return any(f.payload.startswith(b"probe") for f in at_c.frames(where=ours))


def learn_station(sw, b):
    b.send(frame(src=STATION))
    eventually(lambda: STATION in sw.appctl("fdb/show", "br0"))


def test_flushing_forgets(lab, br0):
    a, b, c = three_hosts(lab, br0)
    learn_station(br0, b)
    assert not is_flooded(a, c)
    br0.appctl("fdb/flush", "br0")
    assert STATION not in br0.appctl("fdb/show", "br0")
    assert is_flooded(a, c)


def test_a_learned_address_ages_out(lab):
    sw = lab.switch(start=False)
    sw.vswitchd_options = ["--enable-dummy"]  # with it comes a clock that can be moved
    sw.start()
    sw.add_bridge("br0", "other_config:mac-aging-time=20")
    a, b, c = three_hosts(lab, sw)
    learn_station(sw, b)
    sw.appctl("time/stop")
    sw.appctl("time/warp", "15000", "1000")
    assert STATION in sw.appctl("fdb/show", "br0")
    sw.appctl("time/warp", "10000", "1000")
    eventually(lambda: STATION not in sw.appctl("fdb/show", "br0"))


def test_a_station_that_moves_is_followed(lab, br0):
    a, b, c = three_hosts(lab, br0)
    learn_station(br0, b)
    c.send(frame(src=STATION))
    with b.capture() as at_b, c.capture() as at_c:
        eventually(lambda: (a.send(frame(dst=STATION, src=a.mac, payload=b"probe")), at_c.frames(1, ours, timeout=0.2)))
        seen = len(at_b.frames(where=ours))
        a.send(frame(dst=STATION, src=a.mac, payload=b"probe"), frame(payload=b"last"))
        at_b.frames(1, lambda f: f.payload.startswith(b"last"))
        assert len(at_b.frames(where=ours)) == seen + 1  # only the broadcast
