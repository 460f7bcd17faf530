"""Configurations that must not run."""

from __future__ import annotations

from input_world import Case, World, command

GOOD = "out: {out}\ngene: {genes}\ngroup: id\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def config(text, *arguments, name="build.yaml"):
    """A case of ``bridge data build --config``."""

    def try_it(world: World):
        path = world.new() / name
        filled = text if isinstance(text, bytes) else text.replace("{out}", str(world.folder / "cohort.h5ad")).replace("{genes}", str(world.genes)).encode()
        path.write_bytes(filled)
        return command("data", "build", "--config", path, *arguments, made=lambda: None)

    return try_it


def align(text, *arguments):
    """A case of ``bridge align --config``."""

    def try_it(world: World):
        path = world.new() / "align.yaml"
        path.write_text(text)
        return command("align", "--config", path, *arguments, made=lambda: None)

    return try_it


CASES = (
    Case("config with an unknown key", config(GOOD + "genes: x\n")),
    Case("config with a key of another case", config(GOOD + "Group: id\n")),
    Case("config with a word for a number", config(GOOD + "validation: a lot\n")),
    Case("config with a list for a word", config(GOOD + "seed: [1, 2]\n")),
    Case("config with a choice nobody knows", config(GOOD + "join: left\n")),
    Case("config with a tag that calls Python", config(GOOD + "table: !!python/object/apply:os.system ['true']\n")),
    Case("config with a tag nobody knows", config(GOOD + "table: !include other.yaml\n")),
    Case("config with tabs", config(GOOD + "normalise:\n\tgene: unit\n")),
    Case("config with a key twice", config(GOOD + "seed: 1\nseed: 2\n")),
    Case("config with a key twice below", config(GOOD + "normalise:\n  gene: unit\n  gene: none\n")),
    Case("config with anchors that double without end", config(GOOD + BOMB)),
    Case("config that names itself", config(GOOD + "modalities: &loop\n  brain: *loop\n")),
    Case("config with an open bracket", config(GOOD + "texts: [a, b\n")),
    Case("config that is a list", config("- a\n- b\n")),
    Case("config that is a word", config("build\n")),
    Case("config with bytes that are no text", config(b"out: \xff\xfe\x00\x01\n")),
    Case("config that is a web page", config("<!DOCTYPE html><html></html>")),
    Case("config with two documents", config(GOOD + "---\n" + GOOD)),
    Case("config that is not there", lambda world: command("data", "build", "--config", world.new() / "absent.yaml", made=lambda: None)),
    Case("config that is a folder", lambda world: command("data", "build", "--config", world.new(), made=lambda: None)),
    Case("config with fractions that leave nothing", config(GOOD + "validation: 0.6\ntest: 0.6\n")),
    Case("config with a class outside the packages", config("out: {out}\nmodalities:\n  gene:\n    class_path: os.System\n    source: {genes}\n")),
    Case("config with a class that is none", config("out: {out}\nmodalities:\n  gene:\n    class_path: encoders.gene_table.Nothing\n    source: {genes}\n")),
    Case("config of training with an unknown key", align("data:\n  cohorts: x\n")),
    Case("config of training with a key twice", align("seed_everything: 1\nseed_everything: 2\n")),
    Case("config of training with a tag", align("data: !!python/object/new:os.system [true]\n")),
)
