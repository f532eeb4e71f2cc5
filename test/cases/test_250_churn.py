"""Hundreds of random changes; afterwards the switch and its database still tell the same story."""
import os
import random
import re

import pytest
from lab import eventually, run

SEED = int(os.environ.get("SLUICE_SEED", "20"))


class Churn:
    def __init__(self, sw):
        self.sw, self.random = sw, random.Random(SEED)
        self.bridges, self.ports = {}, {}  # name -> datapath type; name -> (bridge, kind)
        self.cables = [f"v{i}" for i in range(6)]
        for name in self.cables:
            sw.inside("ip", "link", "add", name, "type", "veth", "peer", "name", name + "x")

    def steps(self):
        """One transaction: a few changes that make sense one after the other."""
        words = []
        for _ in range(self.random.choice((1, 1, 1, 2, 5))):
            step = self.random.choice((self.add_bridge, self.del_bridge, self.add_port, self.add_port, self.add_port, self.del_port, self.move_port,
                                       self.change_port, self.replace_port))()
            if step:
                words += ["--", *step]
        return words[1:]

    def add_bridge(self):
        free = [b for b in ("br0", "br1", "br2") if b not in self.bridges]
        if free:
            name = self.random.choice(free)
            self.bridges[name] = self.random.choice(("netdev", "system"))
            return ["add-br", name, "--", "set", "bridge", name, f"datapath_type={self.bridges[name]}"]

    def del_bridge(self):
        if self.bridges and self.random.random() < 0.3:
            name = self.random.choice(sorted(self.bridges))
            del self.bridges[name]
            self.ports = {p: (b, k) for p, (b, k) in self.ports.items() if b != name}
            return ["del-br", name]

    def settings(self, name, kind):
        more = ["--", "set", "interface", name, "type=" + kind] if kind else []
        if kind == "patch":
            more += [f"options:peer={'q' if name[0] == 'p' else 'p'}{name[1:]}"]
        if self.random.random() < 0.2:
            more += ["--", "set", "interface", name, f"ofport_request={self.random.randint(1, 40)}"]
        return more

    def add_port(self, name=None):
        if not self.bridges:
            return None
        kind = self.random.choice(("internal", "internal", "tap", "patch", "", "nothing"))
        number = self.random.randint(0, 5)
        name = {"internal": f"i{number}", "tap": f"t{number}", "patch": f"{self.random.choice('pq')}{number}", "": f"v{number}",
                "nothing": f"n{number}"}[kind]
        if name in self.ports:
            return None
        bridge = self.random.choice(sorted(self.bridges))
        self.ports[name] = (bridge, kind)
        return ["add-port", bridge, name, *self.settings(name, "" if kind == "nothing" else kind)]

    def del_port(self):
        if self.ports:
            name = self.random.choice(sorted(self.ports))
            del self.ports[name]
            return ["del-port", name]

    def move_port(self):
        if self.ports:
            name = self.random.choice(sorted(self.ports))
            kind = self.ports[name][1]
            bridge = self.random.choice(sorted(self.bridges))
            self.ports[name] = (bridge, kind)
            return ["del-port", name, "--", "add-port", bridge, name, *self.settings(name, "" if kind == "nothing" else kind)]

    def replace_port(self):
        if self.ports:
            name = self.random.choice(sorted(self.ports))
            bridge, kind = self.ports[name]
            return ["--if-exists", "del-port", name, "--", "add-port", bridge, name, *self.settings(name, "" if kind == "nothing" else kind)]

    def change_port(self):
        if self.ports:
            name = self.random.choice(sorted(self.ports))
            return self.random.choice((["set", "port", name, f"tag={self.random.randint(1, 9)}"], ["clear", "port", name, "tag"],
                                       ["set", "interface", name, f"ofport_request={self.random.randint(1, 40)}"],
                                       ["clear", "interface", name, "ofport_request"]))

    def check(self):
        sw = self.sw
        shown, bridge = {}, None  # what runs
        for line in sw.appctl("dpif/show").splitlines():
            if line.startswith("    "):
                name, number = re.match(r" +(\S+) (\d+)/", line).groups()
                shown[bridge, name] = int(number)
            elif line.startswith("  "):
                bridge = line.strip(" :")
        rows = {r["name"]: r for r in sw.rows("Interface", "name", "ofport", "error")}
        wanted = {(b, b) for b in self.bridges} | {(b, p) for p, (b, kind) in self.ports.items() if kind != "nothing"}
        assert set(shown) == wanted
        assert {name: number for (_, name), number in shown.items()} == {n: r["ofport"] for n, r in rows.items() if r["error"] == []}
        for b in self.bridges:
            numbers = [n for (on, _), n in shown.items() if on == b]
            assert len(numbers) == len(set(numbers))
        assert {n for n, r in rows.items() if r["error"] != []} == {p for p, (_, kind) in self.ports.items() if kind == "nothing"}
        kernel = set(self.bridges) | {p for p, (_, kind) in self.ports.items() if kind in ("internal", "tap")}
        eventually(lambda: {d for d in sw.devices() if d != "lo" and d[0] != "v"} == kernel, 20)


@pytest.mark.ours_only("compares what ours promises")
def test_random_changes(lab, sw):
    churn = Churn(sw)
    for i in range(150):
        words = churn.steps()
        if words:
            sw.vsctl(*words, check=False)
        if i % 10 == 9:
            churn.check()
        if i == 75:
            sw.stop_daemon()
            sw.start_daemon()
            churn.check()
    churn.check()
    assert not [line for line in sw.log().splitlines() if "|ERR|" in line or "|EMER|" in line]
    sw.stop_daemon(cleanup=True)
    assert {d for d in sw.devices() if d[0] != "v"} == {"lo"}
