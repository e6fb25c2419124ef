"""The language of a file, from its name and, where the name says nothing, from its first line.

Only names of files decide: content is not sniffed beyond ``#!``.  The table is data; `siltstone.codeindex.syntax` reads
those languages for which there is a grammar.
"""

from __future__ import annotations

PLAIN_TEXT = ""  # the language of a file that the table does not know

_EXTENSIONS = """
python py pyi pyw
rust rs
typescript ts mts cts
tsx tsx
javascript js mjs cjs jsx
go go
java java
c c
cpp cc cpp cxx c++ hh hpp hxx h++ ipp tpp inl cu cuh
c_header h
cython pyx pxd pxi
csharp cs
ruby rb rake gemspec
php php
swift swift
kotlin kt kts
scala scala sc
objective_c m mm
lua lua
perl pl pm t
r r
julia jl
haskell hs
elixir ex exs
erlang erl hrl
clojure clj cljs cljc
dart dart
zig zig
nix nix
ocaml ml mli
fsharp fs fsi
shell sh bash zsh ksh
fish fish
powershell ps1 psm1
batch bat cmd
sql sql
html html htm xhtml
css css
scss scss sass
less less
vue vue
svelte svelte
json json jsonc json5
yaml yaml yml
toml toml
xml xml xsd xsl svg
ini ini cfg conf
markdown md markdown
restructuredtext rst
tex tex
protobuf proto
thrift thrift
graphql graphql gql
dockerfile dockerfile
cmake cmake
make mk
gettext po pot
text txt
"""
_NAMES = {
    "Makefile": "make", "GNUmakefile": "make", "Dockerfile": "dockerfile", "CMakeLists.txt": "cmake", "Rakefile": "ruby",
    "Gemfile": "ruby", "BUILD": "starlark", "BUILD.bazel": "starlark", "WORKSPACE": "starlark", "SConstruct": "python",
    "Jenkinsfile": "groovy", "go.mod": "go_mod", "go.sum": "go_mod",
}
_INTERPRETERS = {
    "python": "python", "pypy": "python", "node": "javascript", "deno": "typescript", "bun": "typescript", "bash": "shell",
    "sh": "shell", "dash": "shell", "zsh": "shell", "ksh": "shell", "perl": "perl", "ruby": "ruby", "lua": "lua",
    "fish": "fish", "php": "php", "Rscript": "r",
}
LANGUAGE_OF_EXTENSION = {
    extension: language for language, *extensions in (line.split() for line in _EXTENSIONS.split("\n") if line)
    for extension in extensions
}


def language_of_path(path: str) -> str:
    """Return the language that the name of *path* says, '' where it says none."""
    name = path.rpartition("/")[2]
    if name in _NAMES:
        return _NAMES[name]
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem:
        return PLAIN_TEXT
    return LANGUAGE_OF_EXTENSION.get(extension) or LANGUAGE_OF_EXTENSION.get(extension.lower(), PLAIN_TEXT)


def may_be_script(path: str) -> bool:
    """Whether only the first line can tell the language: the name has no extension."""
    return "." not in path.rpartition("/")[2].lstrip(".")


def language_of_shebang(first_bytes: bytes) -> str:
    """Return the language of the interpreter after ``#!``, '' where there is none or it is not known."""
    if not first_bytes.startswith(b"#!"):
        return PLAIN_TEXT
    words = first_bytes[2:256].partition(b"\n")[0].decode("utf-8", "replace").split()
    if words and words[0].rpartition("/")[2] == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    program = words[0].rpartition("/")[2] if words else ""
    return _INTERPRETERS.get(program) or _INTERPRETERS.get(program.rstrip("0123456789."), PLAIN_TEXT)


def settle_headers(languages: dict[str, str]) -> None:
    """Decide for each ``.h`` file, in place, whether it is C or C++: by the sources of its folder, then of the whole.

    *languages* maps path to language.  A header with C++ sources beside it, or in a repository with more C++ than C
    sources, is C++; the C++ grammar reads C headers too.
    """
    counts: dict[str, list[int]] = {"*": [0, 0]}
    for path, language in languages.items():
        if language in ("c", "cpp"):
            for folder in (path.rpartition("/")[0], "*"):
                counts.setdefault(folder, [0, 0])[language == "cpp"] += 1
    for path, language in languages.items():
        if language == "c_header":
            in_c, in_cpp = counts.get(path.rpartition("/")[0], counts["*"])
            languages[path] = "cpp" if in_cpp > in_c else "c"
