#!/usr/bin/env bash
# Builds what a release consists of, in dist/: sdist, wheel, and a CycloneDX bill of materials of
# what the wheel brings with it. The wheel is installed into an environment of its own and used
# there. Uploads nothing. `make release` calls it (it needs the extra `release`).
set -euo pipefail
cd "$(dirname "$0")/.."
python=$PWD/.venv/bin/python
check=$PWD/build/release
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=$PWD/constraints.txt

say() { printf '%s\n' "release: $*"; }

version=$("$python" -c 'import vidtrans; print(vidtrans.__version__)')
rm -rf dist "$check"
mkdir -p "$check"

say "building vidtrans $version"
"$python" -m build --outdir dist . >"$check/build.log" || { tail -30 "$check/build.log"; exit 1; }
wheel=dist/vidtrans-$version-py3-none-any.whl
[ -f "$wheel" ] || { say "no $wheel was built; there is: $(ls dist)"; exit 1; }
"$python" -m twine check --strict dist/*

say "installing the wheel into an environment of its own"
"$python" -m venv --without-pip "$check/venv"
"$python" -m pip --python "$check/venv/bin/python" install -q "$wheel"

say "using it"
cd "$check"  # so that the repository's packages are not found in the working directory
unset PYTHONPATH
found=$("$check/venv/bin/vidtrans" --version)
[ "$found" = "vidtrans $version" ] || { say "the wheel's command says: $found; expected: vidtrans $version"; exit 1; }
"$check/venv/bin/vidtrans" models list
"$check/venv/bin/vidtrans-filter" --help >/dev/null
"$check/venv/bin/vidtrans" demo --progress none
cd - >/dev/null

# The bill's subject is described by pyproject.toml, which leaves the version to vidtrans/__init__.py.
sed "s/^dynamic = .*/version = \"$version\"/" pyproject.toml >"$check/pyproject.toml"
"$python" -m cyclonedx_py environment "$check/venv/bin/python" --pyproject "$check/pyproject.toml" \
    --output-reproducible --validate --of JSON -o "dist/vidtrans-$version.cdx.json"
say "done"
ls -l dist
