"""Which language a file is, and which folders are projects of their own."""

from __future__ import annotations

import pytest

from siltstone.codeindex.languages import language_of_path, language_of_shebang, may_be_script, settle_headers
from siltstone.codeindex.workspace import Root, find_roots, is_manifest


@pytest.mark.parametrize(("path", "language"), [
    ("a/b.py", "python"), ("a/b.pyi", "python"), ("x.RS", "rust"), ("x.C", "c"), ("x.mts", "typescript"), ("x.tsx", "tsx"),
    ("x.d.ts", "typescript"),
    ("Makefile", "make"), ("a/Dockerfile", "dockerfile"), ("LICENSE", ""), (".py", ""), ("a.unknown", ""),
    ("go.mod", "go_mod"), ("CMakeLists.txt", "cmake"), ("notes.txt", "text"), ("a.b/c", ""), ("x.h", "c_header"),
])
def test_the_name_of_a_file_says_its_language(path: str, language: str) -> None:
    assert language_of_path(path) == language


@pytest.mark.parametrize(("line", "language"), [
    (b"#!/usr/bin/env python3\n", "python"), (b"#!/usr/bin/python3.11 -u\n", "python"), (b"#! /bin/sh\n", "shell"),
    (b"#!/usr/bin/env -S VAR=1 node --flag\n", "javascript"),
    (b"#!/opt/unknown\n", ""), (b"#!\n", ""), (b"", ""), (b"x = 1", ""),
    (b"#!\xff\xfe", ""),
])
def test_the_first_line_says_the_language_of_a_script(line: bytes, language: str) -> None:
    assert language_of_shebang(line) == language


def test_only_names_without_an_extension_may_be_scripts() -> None:
    assert [may_be_script(name) for name in ("bin/tool", "a.txt", ".profile", "a/b.c/run")] == [True, False, True, True]


def test_headers_follow_the_sources_beside_them() -> None:
    languages = {"a/x.h": "c_header", "a/x.cpp": "cpp", "b/y.h": "c_header", "b/y.c": "c", "c/z.h": "c_header", "d/w.c": "c"}
    settle_headers(languages)
    assert [languages[name] for name in ("a/x.h", "b/y.h", "c/z.h")] == ["cpp", "c", "c"]


def test_a_root_is_a_folder_with_a_manifest() -> None:
    manifests = {
        "package.json": b'{"name": "top", "workspaces": ["packages/*"]}',
        "packages/ui/package.json": b'{"name": "@acme/ui"}',
        "packages/bad/package.json": b"{", "node_modules/dep/package.json": b'{"name": "dep"}',
        "Cargo.toml": b"[workspace]\nmembers = ['crates/*']\n", "crates/core/Cargo.toml": b'[package]\nname = "acme-core"\n',
        "svc/go.mod": b"// comment\nmodule example.com/svc // x\n\ngo 1.22\n",
        "py/pyproject.toml": b'[project]\nname = "thing"\n',
        "old/setup.cfg": b"[metadata]\nname = old\n", "jvm/pom.xml": b"<project/>", "jvm/app/build.gradle.kts": b"",
    }
    roots = find_roots([*sorted(manifests), "src/main.py"], lambda path: manifests.get(path, b""))
    assert roots == sorted([
        Root("", "npm", "top"), Root("packages/ui", "npm", "@acme/ui"), Root("packages/bad", "npm"), Root("", "cargo"),
        Root("crates/core", "cargo", "acme-core"), Root("svc", "go", "example.com/svc"), Root("py", "python", "thing"),
        Root("old", "python"), Root("jvm", "maven"), Root("jvm/app", "gradle"),
    ])


def test_manifests_of_installed_packages_are_not_read() -> None:
    assert not is_manifest("node_modules/a/package.json")
    assert is_manifest("web/package.json")
