"""Every cut of every profile against the crates `fastcdc` and `gearhash`. Run: python benchmarks/peers/crate_cuts.py FILE…

Builds a small Rust program in a temporary folder (cargo, and crates.io or its local copy), runs it over each FILE and
compares all cuts with ours.  Exit status: 0 where none differs, 1 where one does, 2 where there is no cargo.
"""

from __future__ import annotations

import mmap
import shutil
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path

from siltstone.content.kernels import AUTO, available, cut_offsets
from siltstone.content.profiles import FASTCDC_V2016, FASTCDC_V2020, GEARHASH, PROFILES, RONOMON, Profile

KIB = 1 << 10

MANIFEST = """
[package]
name = "crate-cuts"
version = "0.1.0"
edition = "2021"

[dependencies]
fastcdc3 = { package = "fastcdc", version = "=3.2.1" }
fastcdc40 = { package = "fastcdc", version = "=4.0.0" }
fastcdc5 = { package = "fastcdc", version = "=5.0.0" }
gearhash = "=0.1.3"

[profile.release]
opt-level = 3
"""

# A line of the input is: crate, algorithm, minimum, target, maximum, normalization, seed. Answer: count and ends, 8 bytes each.
PROGRAM = r"""
use std::io::{self, BufRead, Write};

macro_rules! level {
    ($module:path, $value:expr) => {{
        use $module as m;
        match $value { 0 => m::Normalization::Level0, 1 => m::Normalization::Level1, 2 => m::Normalization::Level2,
                       _ => m::Normalization::Level3 }
    }};
}

macro_rules! fastcdc {
    ($name:ident, $v2020:path, $v2016:path, $ronomon:path) => {
        fn $name(data: &[u8], algorithm: &str, sizes: [u64; 3], level: u64, seed: u64) -> Vec<u64> {
            let [a, b, c] = sizes;
            match algorithm {
                "fastcdc-v2020" => {
                    use $v2020 as m;
                    m::FastCDC::with_level_and_seed(data, a as _, b as _, c as _, level!($v2020, level), seed)
                        .map(|chunk| (chunk.offset + chunk.length) as u64).collect()
                }
                "fastcdc-v2016" => {
                    use $v2016 as m;
                    m::FastCDC::with_level(data, a as _, b as _, c as _, level!($v2016, level))
                        .map(|chunk| (chunk.offset + chunk.length) as u64).collect()
                }
                _ => {
                    use $ronomon as m;
                    m::FastCDC::new(data, a as _, b as _, c as _).map(|chunk| (chunk.offset + chunk.length) as u64).collect()
                }
            }
        }
    };
}

fastcdc!(cuts3, fastcdc3::v2020, fastcdc3::v2016, fastcdc3::ronomon);
fastcdc!(cuts40, fastcdc40::v2020, fastcdc40::v2016, fastcdc40::ronomon);
fastcdc!(cuts5, fastcdc5::v2020, fastcdc5::v2016, fastcdc5::ronomon);

// The hash is the crate's; around it, what xet does: skip, pass over matches before the minimum, end at the maximum.
fn xet(data: &[u8], minimum: usize, target: u64, maximum: usize) -> Vec<u64> {
    let mask = (target - 1) << (target - 1).leading_zeros();
    let (mut ends, mut start) = (Vec::new(), 0usize);
    while start < data.len() {
        let end = data.len().min(start + maximum);
        let mut hasher = gearhash::Hasher::default();
        let mut here = end.min(start + minimum.saturating_sub(65));
        loop {
            match hasher.next_match(&data[here..end], mask) {
                None => { here = end; break }
                Some(hashed) => { here += hashed; if here - start >= minimum { break } }
            }
        }
        ends.push(here as u64);
        start = here;
    }
    ends
}

fn main() {
    let data = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let n: Vec<u64> = words[2..].iter().map(|word| word.parse().unwrap()).collect();
        let sizes = [n[0], n[1], n[2]];
        let ends = match words[0] {
            "fastcdc-3.2.1" => cuts3(&data, words[1], sizes, n[3], n[4]),
            "fastcdc-4.0.0" => cuts40(&data, words[1], sizes, n[3], n[4]),
            "fastcdc-5.0.0" => cuts5(&data, words[1], sizes, n[3], n[4]),
            _ => xet(&data, n[0] as usize, n[1], n[2] as usize),
        };
        out.write_all(&(ends.len() as u64).to_le_bytes()).unwrap();
        for end in ends { out.write_all(&end.to_le_bytes()).unwrap(); }
    }
}
"""


def profiles() -> dict[str, Profile]:
    """Return the named profiles, and others that move each setting of each algorithm."""
    more: dict[str, Profile] = {}
    for level in range(4):
        more[f"v2020 NC{level}"] = Profile(minimum=2 * KIB, target=8 * KIB, maximum=32 * KIB, normalization=level)
        more[f"v2016 NC{level}"] = Profile(algorithm=FASTCDC_V2016, minimum=2 * KIB, target=8 * KIB, maximum=32 * KIB,
                                           normalization=level)
    for name in (FASTCDC_V2020, FASTCDC_V2016, RONOMON):
        more[f"{name} tiny"] = Profile(algorithm=name, minimum=64, target=256, maximum=KIB)
        more[f"{name} odd"] = Profile(algorithm=name, minimum=1001, target=4097, maximum=16_383)
        for log2 in ("round", "floor"):
            more[f"{name} 12000 {log2}"] = Profile(algorithm=name, minimum=3000, target=12_000, maximum=48_000, log2=log2)
    more["v2020 seed"] = Profile(seed=666)
    more["v2020 long seed"] = Profile(minimum=2 * KIB, target=8 * KIB, maximum=32 * KIB, seed=0xFEDC_BA98_7654_3210)
    more["reapi 8m"] = Profile.reapi(8 << 20)
    more["reapi seed"] = Profile.reapi(64 * KIB, seed=4242)
    more["xet 4k"] = Profile.xet(4 * KIB)
    more["xet 128"] = Profile.xet(128)
    more["gearhash 1m"] = Profile(algorithm=GEARHASH, minimum=65, target=1 << 20, maximum=3_000_001)
    return {**PROFILES, **more}


def crates_of(profile: Profile) -> Iterator[str]:
    """Yield the crates that should cut as *profile* does: a floor is what 4.0.0 alone has; 3.2.1 refuses the largest sizes."""
    if profile.algorithm == GEARHASH:
        yield "gearhash-0.1.3"
        return
    rounded = profile.log2 == "round"
    if rounded and profile.maximum <= 16 << 20:
        yield "fastcdc-3.2.1"
    if not rounded or profile.target & (profile.target - 1) == 0:
        yield "fastcdc-4.0.0"
    if rounded:
        yield "fastcdc-5.0.0"


def build(folder: Path) -> Path:
    """Compile the program; return where it is."""
    (folder / "src").mkdir()
    (folder / "Cargo.toml").write_text(MANIFEST)
    (folder / "src" / "main.rs").write_text(PROGRAM)
    subprocess.run(["cargo", "build", "--release", "--quiet", "--target-dir", folder / "target"], cwd=folder, check=True)
    return folder / "target" / "release" / "crate-cuts"


def compare(program: Path, path: Path) -> int:
    """Print one line for each crate and profile; return how many cuts differ."""
    asked = [(crate, name, profile) for name, profile in profiles().items() for crate in crates_of(profile)]
    lines = "".join(f"{crate} {one.algorithm} {one.minimum} {one.target} {one.maximum} {one.normalization} {one.seed}\n"
                    for crate, _, one in asked)
    total = differing = 0
    with (tempfile.TemporaryFile() as answer, open(path, "rb") as file,
          mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data):
        subprocess.run([program, path], input=lines.encode(), stdout=answer, check=True)
        answer.seek(0)
        for crate, name, profile in asked:
            theirs = array("Q", answer.read(8 * int.from_bytes(answer.read(8), "little")))
            for kernel in available() if profile.algorithm == FASTCDC_V2020 else (AUTO,):
                ours = cut_offsets(data, profile, kernel=kernel)
                differ = 0 if ours == theirs else len(set(ours) ^ set(theirs))
                total, differing = total + len(theirs), differing + differ
                print(f"{crate:15} {name:24} kernel {kernel:12} {len(theirs):9} cuts, {differ} differ", flush=True)
    print(f"{path.name}: {path.stat().st_size:,} bytes, {len(asked)} comparisons, {total:,} cuts, {differing} differ")
    return differing


def main() -> int:
    """Compare over every file that was named."""
    if shutil.which("cargo") is None:
        print("cargo is not installed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        return 1 if sum(compare(program, Path(path)) for path in sys.argv[1:]) else 0


if __name__ == "__main__":
    sys.exit(main())
