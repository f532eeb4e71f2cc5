"""Our tools with a cluster of three of Debian's ovsdb-server: they find the leader, and the next one when it is gone."""
import os
import subprocess

import pytest

from lab import COMPAT, eventually, run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCHEMA = os.path.join(ROOT, "src/ovsdb/vswitch.ovsschema")


def free_ports(n):
    import socket
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Cluster:
    def __init__(self, lab):
        self.dir = lab.dir
        ports = free_ports(6)
        self.peers, self.ports = ports[:3], ports[3:]
        self.env = os.environ | {"OVS_RUNDIR": str(lab.dir), "OVS_SYSLOG_METHOD": "null"}
        self.servers = [self.start(lab, i) for i in range(3)]
        self.remotes = ",".join(f"tcp:127.0.0.1:{p}" for p in self.ports)
        for i in range(3):
            eventually(lambda: "cluster member" in self.status(i))

    def start(self, lab, i):
        peers = [f"tcp:127.0.0.1:{p}" for p in self.peers]
        name = lab.dir / f"{i}.db"
        if i == 0:
            run("/usr/bin/ovsdb-tool", "create-cluster", name, SCHEMA, peers[0])
        else:
            run("/usr/bin/ovsdb-tool", "join-cluster", name, "Open_vSwitch", peers[i], peers[0])
        server = subprocess.Popen(["/usr/sbin/ovsdb-server", name, f"--remote=ptcp:{self.ports[i]}:127.0.0.1", f"--unixctl={lab.dir}/{i}.ctl", "-vconsole:off"],
                                  env=self.env)
        lab.defer(server.wait)
        lab.defer(server.kill)
        return server

    def status(self, i):
        done = run("/usr/bin/ovs-appctl", "-t", self.dir / f"{i}.ctl", "cluster/status", "Open_vSwitch", check=False)
        return done.stdout

    def leader(self):
        """Its number, once there is one."""
        leaders = eventually(lambda: [i for i in range(3) if self.servers[i].poll() is None and "Role: leader" in self.status(i)])
        return leaders[0]

    def vsctl(self, *words):
        return run(COMPAT / "ovs-vsctl", "-t", "15", f"--db={self.remotes}", "--leader-only", "--retry", "--no-wait", *words, env=self.env)

    def client(self, *words):
        return run(COMPAT / "ovsdb-client", "-t", "15", words[0], self.remotes, *words[1:], env=self.env)


@pytest.fixture
def cluster(lab):
    return Cluster(lab)


def test_the_leader_is_found_and_found_again(cluster):
    cluster.vsctl("init")
    for i in range(4):  # the order of the servers is drawn anew each time
        cluster.vsctl("--shuffle-remotes", "add-br", f"br{i}")
        assert f"br{i}" in cluster.client("dump", "Open_vSwitch", "Bridge", "name")
    first = cluster.leader()
    cluster.servers[first].kill()
    cluster.servers[first].wait()
    cluster.vsctl("add-br", "after")
    assert cluster.vsctl("list-br").split() == ["after", "br0", "br1", "br2", "br3"]
    second = cluster.leader()
    assert second != first
    assert "after" in cluster.client("dump", "Open_vSwitch", "Bridge", "name")


def test_a_follower_will_do_when_told(cluster):
    follower = next(i for i in range(3) if i != cluster.leader())
    one = f"tcp:127.0.0.1:{cluster.ports[follower]}"
    run(COMPAT / "ovs-vsctl", "-t", "10", f"--db={one}", "--no-leader-only", "--no-wait", "add-br", "br0", env=cluster.env)
    done = run(COMPAT / "ovs-vsctl", "-t", "1", f"--db={one}", "--leader-only", "--retry", "list-br", env=cluster.env, check=False)
    assert done.returncode == -14
    assert run(COMPAT / "ovsdb-client", "-t", "10", "--no-leader-only", "dump", one, "Open_vSwitch", "Bridge", "name", env=cluster.env).count("br0") == 1


def test_the_header_of_a_clustered_file(cluster):
    tool = lambda *words, **more: run(COMPAT / "ovsdb-tool", *words, **more)
    peer = lambda *words: run("/usr/bin/ovsdb-tool", *words)
    name = cluster.dir / "0.db"
    assert tool("db-is-clustered", name) == ""
    assert tool("db-is-standalone", name, check=False).returncode == 2
    for command in ("db-cid", "db-sid", "db-local-address", "db-name"):
        assert tool(command, name) == peer(command, name)
    refused = tool("query", name, '["Open_vSwitch"]', check=False)
    assert refused.returncode == 1 and "clustered" in refused.stderr
    assert "Open vSwitch" in tool("create-cluster", cluster.dir / "x.db", SCHEMA, "tcp:127.0.0.1:1", check=False).stderr
