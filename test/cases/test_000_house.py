"""The house stands: the field's own tools accept what we ship."""
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = TOP / "src" / "ovsdb" / "vswitch.ovsschema"


def test_the_schema_is_a_schema_to_the_peer(tmp_path):
    def tool(*words):
        return subprocess.run(["ovsdb-tool", *map(str, words)], check=True, capture_output=True, text=True).stdout.strip()

    assert tool("schema-version", SCHEMA) == "8.8.0"
    tool("create", tmp_path / "conf.db", SCHEMA)
    assert tool("db-version", tmp_path / "conf.db") == "8.8.0"


def test_the_checksum_is_that_of_the_rest_of_the_file():
    lines = SCHEMA.read_text().splitlines(keepends=True)
    said = [line for line in lines if line.startswith(' "cksum"')]
    assert len(said) == 1
    rest = "".join(line for line in lines if line not in said)
    summed = subprocess.run(["cksum"], input=rest, check=True, capture_output=True, text=True).stdout.strip()
    assert said[0] == f' "cksum": "{summed}",\n'
