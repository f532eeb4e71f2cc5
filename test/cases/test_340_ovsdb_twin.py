"""A slow twin: RFC 7047 in a page of plain Python gets the same random transactions as the server, and they must agree on every outcome and on the contents.

Monitors of every version and condition watch meanwhile; what they are told, applied to what they were given first, must always be the contents again.
The twin knows no indexes, no reference counts, no differences: it copies everything, does the operations, and looks at every row for what is wrong.
"""
import copy
import json
import os
import random

import pytest

from database import Database, Refused, uuid

SEED = int(os.environ.get("SLUICE_SEED", "20"))
ROUNDS = int(os.environ.get("SLUICE_ROUNDS", "3000"))
ANY = "unlimited"
STRONG, WEAK = {"type": "uuid", "refTable": "Leaf"}, {"type": "uuid", "refTable": "Leaf", "refType": "weak"}
TYPES = {
    "Root": {"i": ("integer", None, 1, 1), "name": ("string", None, 1, 1), "si": ("integer", None, 0, 4), "m": ("string", "string", 0, ANY),
             "o": ("string", None, 0, 1), "leaves": (STRONG, None, 0, ANY), "map": ("integer", STRONG, 0, ANY), "weak": (WEAK, None, 0, ANY)},
    "Leaf": {"k": ("integer", None, 1, 1), "next": (STRONG, None, 0, 1), "up": ({"type": "uuid", "refTable": "Root", "refType": "weak"}, None, 0, 2)},
    "Must": {"w": (WEAK, None, 1, 2)},
}
INDEXES = {"Root": [["name"]], "Leaf": [["k"]], "Must": []}
MAX_ROWS = {"Must": 2}
ROOTS = ("Root", "Must")
SCHEMA = {"name": "W", "version": "1.0.0", "tables": {
    t: {"columns": {c: {"type": dict({"key": k, "min": lo, "max": hi}, **({"value": v} if v else {}))} for c, (k, v, lo, hi) in columns.items()},
        "indexes": INDEXES[t], "isRoot": t in ROOTS, **({"maxRows": MAX_ROWS[t]} if t in MAX_ROWS else {})} for t, columns in TYPES.items()}}


class No(Exception):
    """The transaction fails; args[0] is the error's tag."""


# A value is a dict: keys to values for a map, keys to None for a set, one key for a scalar.


def default(kind):
    key, value, least, _ = kind
    nothing = "00000000-0000-0000-0000-000000000000" if isinstance(key, dict) else {"integer": 0, "string": ""}[key]
    return {nothing: None} if least else {}


def to_json(kind, v):
    atom = lambda base, a: ["uuid", a] if isinstance(base, dict) else a
    if kind[1]:
        return ["map", [[atom(kind[0], k), atom(kind[1], x)] for k, x in v.items()]]
    return ["set", [atom(kind[0], k) for k in v]]


def from_json(kind, j):
    atom = lambda a: a[1] if isinstance(a, list) else a
    if kind[1]:
        return {atom(k): atom(x) for k, x in j[1]}
    elements = j[1] if isinstance(j, list) and j[0] == "set" else [j]
    return {atom(a): None for a in elements}


def references(t, row, weak):
    """(column, key, uuid, table) of each."""
    for c, (key, value, *_rest) in TYPES[t].items():
        for base, pick in ((key, lambda k, v: k), (value, lambda k, v: v)):
            if isinstance(base, dict) and (base.get("refType") == "weak") == weak:
                for k, v in row[c].items():
                    yield c, k, pick(k, v), base["refTable"]


class Twin:
    def __init__(self):
        self.rows = {t: {} for t in TYPES}

    def run(self, ops):
        new = Twin()
        new.rows = copy.deepcopy(self.rows)
        for op in ops:
            getattr(new, op["op"])(op)
        new.settle()
        self.rows = new.rows

    def check(self, t, row):
        for c, kind in TYPES[t].items():
            if not kind[2] <= len(row[c]) <= (10**9 if kind[3] == ANY else kind[3]):
                raise No("constraint violation")

    def insert(self, op):
        t = op["table"]
        row = {c: default(k) for c, k in TYPES[t].items()}
        row.update({c: from_json(TYPES[t][c], v) for c, v in op["row"].items()})
        self.rows[t][op["uuid"]] = row

    def matching(self, op):
        t = op["table"]
        return [(u, r) for u, r in self.rows[t].items() if all(self.holds(t, u, r, *clause) for clause in op["where"])]

    @staticmethod
    def holds(t, u, row, c, fn, arg):
        if c == "_uuid":
            return (u == arg[1]) == (fn == "==")
        have, want = row[c], from_json(TYPES[t][c], arg)
        includes = all(k in have and have[k] == v for k, v in want.items())
        first = lambda v: next(iter(v))
        return {"==": lambda: have == want, "!=": lambda: have != want, "includes": lambda: includes,
                "excludes": lambda: not any(k in have and have[k] == v for k, v in want.items()), "<": lambda: first(have) < first(want),
                ">": lambda: first(have) > first(want)}[fn]()

    def update(self, op):
        for _, row in self.matching(op):
            row.update({c: from_json(TYPES[op["table"]][c], v) for c, v in op["row"].items()})

    def mutate(self, op):
        t = op["table"]
        for _, row in self.matching(op):
            for c, mutator, arg in op["mutations"]:
                if mutator == "+=":
                    row[c] = {k + arg: None for k in row[c]}
                elif mutator == "*=":
                    product = {k * arg: None for k in row[c]}
                    if len(product) != len(row[c]):
                        raise No("constraint violation")
                    row[c] = product
                elif mutator == "insert":
                    row[c] = {**from_json(TYPES[t][c], arg), **row[c]}
                else:
                    gone = from_json(TYPES[t][c], arg)
                    row[c] = {k: v for k, v in row[c].items() if not (k in gone and gone[k] == v)}
            self.check(t, row)

    def delete(self, op):
        for u, _ in self.matching(op):
            del self.rows[op["table"]][u]

    def settle(self):
        for t, rows in self.rows.items():
            for u, row in rows.items():
                for _, _, target, where in references(t, row, False):
                    if target not in self.rows[where]:
                        raise No("referential integrity violation")
        while True:
            held = {target for t, rows in self.rows.items() for u, row in rows.items() for _, _, target, _ in references(t, row, False) if target != u}
            garbage = [u for u in self.rows["Leaf"] if u not in held]
            if not garbage:
                break
            for u in garbage:
                del self.rows["Leaf"][u]
        if any(len(self.rows[t]) > most for t, most in MAX_ROWS.items()):
            raise No("constraint violation")
        for t, rows in self.rows.items():
            for row in rows.values():
                for c, k, target, where in list(references(t, row, True)):
                    if target not in self.rows[where]:
                        row[c].pop(k, None)
                self.check(t, row)
        for t, indexes in INDEXES.items():
            for index in indexes:
                seen = [tuple(json.dumps(r[c]) for c in index) for r in self.rows[t].values()]
                if len(set(seen)) != len(seen):
                    raise No("constraint violation")


# ---- Random work. ----


class Work:
    def __init__(self, rng, twin):
        self.rng, self.twin, self.last = rng, twin, 0

    def any_row(self, t):
        have = list(self.twin.rows[t])
        return self.rng.choice(have) if have and self.rng.random() < 0.97 else uuid(self.rng.randrange(1, 50))

    def atom(self, base):
        if isinstance(base, dict):
            return self.any_row(base["refTable"]) if not self.mine or self.rng.random() < 0.6 else self.rng.choice(self.mine)
        return self.rng.randrange(8) if base == "integer" else self.rng.choice("abcdefgh") * self.rng.choice((1, 1, 40))

    def value(self, kind, n=None):
        key, value, least, most = kind
        if n is None:
            n = self.rng.randint(least, min(3 if most == ANY else most, 4))
        return {self.atom(key): self.atom(value) if value else None for _ in range(n)}

    def some_columns(self, t):
        return self.rng.sample(list(TYPES[t]), self.rng.randint(1, min(3, len(TYPES[t]))))

    def where(self, t):
        r = self.rng.random()
        if r < 0.75:
            return [["_uuid", "==", ["uuid", self.any_row(t)]]]
        if r < 0.77:
            return []
        c = self.rng.choice([c for c, k in TYPES[t].items()])
        kind = TYPES[t][c]
        fn = self.rng.choice(["==", "!=", "includes", "excludes"] + (["<", ">"] if kind[0] == "integer" and kind[3] == 1 else []))
        return [[c, fn, to_json(kind, self.value(kind, 1 if fn in "<>" else None))]]

    def operation(self):
        t = self.rng.choices(list(TYPES), [5, 5, 1])[0]
        kind = self.rng.choices(["insert", "update", "mutate", "delete"], [6, 4, 6, 1])[0]
        op = {"op": kind, "table": t}
        if kind == "insert":
            self.last += 1
            columns = set(self.some_columns(t)) | ({"w"} if t == "Must" else {"k"} if t == "Leaf" else {"name"})
            if t == "Leaf":
                self.mine.append(uuid(100 + self.last))
            return dict(op, uuid=uuid(100 + self.last), row={
                c: self.rng.randrange(40) if c == "k" else f"n{self.rng.randrange(40)}" if c == "name" else to_json(TYPES[t][c], self.value(TYPES[t][c]))
                for c in columns})
        op["where"] = [["_uuid", "==", ["uuid", self.any_row(t)]]] if kind == "delete" and self.rng.random() < 0.9 else self.where(t)
        if kind == "update":
            op["row"] = {c: to_json(TYPES[t][c], self.value(TYPES[t][c])) for c in self.some_columns(t)}
        elif kind == "mutate":
            op["mutations"] = [m for m in (self.mutation(t, c) for c in self.some_columns(t)) if m]
        return op

    def mutation(self, t, c):
        kind = TYPES[t][c]
        if kind[2] == kind[3] == 1:
            return [c, self.rng.choice(["+=", "*="]), self.rng.randrange(3)] if kind[0] == "integer" else None
        if kind[0] == "integer" and not kind[1] and self.rng.random() < 0.3:
            return [c, self.rng.choice(["+=", "*="]), self.rng.randrange(3)]
        most = 9 if kind[3] == ANY else kind[3]
        return [c, self.rng.choice(["insert", "delete"]), to_json(kind, self.value(kind, self.rng.randint(0, min(3, most))))]

    def transaction(self):
        self.mine = []
        return [self.operation() for _ in range(self.rng.choice([1, 1, 2, 3, 4, 6]))]


# ---- Those who watch. ----


class Watcher:
    """A monitor and what it believes the contents to be."""

    def __init__(self, client, name, version, columns, where=None):
        self.client, self.name, self.version, self.columns, self.where = client, name, version, columns, where
        self.rows = {t: {} for t in columns}
        self.last = uuid(0)

    def requests(self):
        return {t: [dict({"columns": c}, **({"where": self.where[t]} if self.where and t in self.where else {}))] for t, c in self.columns.items()}

    def begin(self):
        method = {1: "monitor", 2: "monitor_cond", 3: "monitor_cond_since"}[self.version]
        reply = self.client.ask(method, ["W", self.name, self.requests(), *([self.last] if self.version == 3 else [])])
        if self.version == 3:
            found, self.last, reply = reply
            if not found:
                self.rows = {t: {} for t in self.columns}
        self.apply(reply)

    def hear(self, message):
        params = message["params"]
        if params[0] == self.name:
            assert message["method"] == {1: "update", 2: "update2", 3: "update3"}[self.version]
            if self.version == 3:
                self.last = params[1]
            self.apply(params[-1])

    def apply(self, updates):
        for t, rows in updates.items():
            for u, change in rows.items():
                self.apply_row(t, u, change)

    def apply_row(self, t, u, change):
        mine = self.rows[t]
        value = lambda c, j: from_json(TYPES[t][c], j)
        if self.version == 1:
            if "new" not in change:
                assert u in mine and mine.pop(u)
                return
            assert ("old" in change) == (u in mine)
            for c, old in change.get("old", {}).items():
                assert mine[u][c] == value(c, old) != value(c, change["new"][c])
            mine[u] = {c: value(c, j) for c, j in change["new"].items()}
            return
        (what, row), = change.items()
        if what == "delete":
            del mine[u]
        elif what in ("insert", "initial"):
            assert u not in mine
            mine[u] = {c: default(TYPES[t][c]) for c in self.columns[t]}
            mine[u].update({c: value(c, j) for c, j in row.items()})
        else:
            for c, j in row.items():
                diff, kind = value(c, j), TYPES[t][c]
                if kind[3] == 1:
                    mine[u][c] = diff
                    continue
                for k, v in diff.items():
                    if k in mine[u][c] and mine[u][c][k] == v:
                        del mine[u][c][k]
                    else:
                        mine[u][c][k] = v

    def check(self, twin):
        for t, columns in self.columns.items():
            conditions = (self.where or {}).get(t)
            want = {u: {c: r[c] for c in columns} for u, r in twin.rows[t].items()
                    if not conditions or any(cl if isinstance(cl, bool) else twin.holds(t, u, r, *cl) for cl in conditions)}
            assert self.rows[t] == want, (self.name, t)


def listen(client, watchers):
    """An answered question: everything told before it has come."""
    for m in client.call("echo", ["x"]):
        for w in watchers:
            if m.get("method"):
                w.hear(m)


def test_the_twin_and_the_server_agree(tmp_path):
    rng = random.Random(SEED)
    twin = Twin()
    work = Work(rng, twin)
    outcomes = {}
    every = {t: list(c) for t, c in TYPES.items()}
    with Database(tmp_path, SCHEMA) as db:
        c, eyes = db.connect(), db.connect()
        watchers = [
            Watcher(eyes, "v1", 1, every), Watcher(eyes, "v2", 2, every), Watcher(eyes, "v3", 3, every),
            Watcher(eyes, "some", 1, {"Root": ["i", "m"]}), Watcher(eyes, "few", 2, {"Leaf": ["k"], "Root": ["leaves"]}),
            Watcher(eyes, "cond", 2, every, {"Root": [["i", "<", 4], ["si", "includes", ["set", [2]]]], "Leaf": [["k", ">", 20]], "Must": [False]}),
        ]
        for w in watchers:
            w.begin()
        away = Watcher(db.connect(), "away", 3, every)
        away.begin()
        for i in range(ROUNDS):
            ops = work.transaction()
            try:
                c.transact("W", *ops)
                got = "fine"
            except Refused as e:
                got = e.args[0]["error"]
            try:
                twin.run(ops)
                want = "fine"
            except No as e:
                want = e.args[0]
            assert got == want, f"seed {SEED}, round {i}: {json.dumps(ops)}"
            outcomes[want] = outcomes.get(want, 0) + 1
            if i % 5 == 0:
                listen(eyes, watchers)
                for w in watchers:
                    w.check(twin)
            if i % 100 == 50:  # another condition
                w = watchers[-1]
                w.where = {"Root": [["i", ">", rng.randrange(8)]], "Leaf": [["k", "<", rng.randrange(40)]], "Must": [rng.random() < 0.5]}
                for m in eyes.call("monitor_cond_change", [w.name, w.name, {t: [{"where": x}] for t, x in w.where.items()}]):
                    for x in watchers:
                        if m.get("method"):
                            x.hear(m)
                w.check(twin)
            if i % 60 == 30:  # gone for a while, and back
                away.client.close()
                away.client = db.connect()
                away.begin()
                away.check(twin)
                away.client.close()
                away.client = db.connect()
            if i % 500 == 499:  # and what is in the file is the same
                eyes.close()
                db.stop()
                db.start()
                c, eyes = db.connect(), db.connect()
                for w in watchers:
                    w.client = eyes
                    w.rows = {t: {} for t in w.columns}
                    w.begin()
                    w.check(twin)
                away.client = db.connect()
        print(outcomes, {t: len(r) for t, r in twin.rows.items()})
    assert outcomes["fine"] > ROUNDS / 4 and len(outcomes) == 3
