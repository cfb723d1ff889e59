#!/usr/bin/env bash
# Builds sdist and wheel, installs the wheel in an empty environment and does the job with it,
# somewhere else than in the checkout. With the lowest versions that pyproject.toml names:
#
#     make lowest                     # or: bash benchmarks/lowest_versions.sh
#
# With the versions of constraints.txt, and with another Python:
#
#     make lowest VERSIONS=constraints PYTHON=python3.13
#
# uv resolves; it reads UV_INDEX_URL and the like, not pip's settings.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD work=$PWD/build/lowest
versions=${VERSIONS:-lowest} extras=${EXTRAS-} python=${PYTHON:-python3}
rm -rf "$work"
mkdir -p "$work/tests"
"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check uv
uv=$work/env/bin/uv
export VIRTUAL_ENV=$work/env OMP_NUM_THREADS=1
unset PYTHONPATH

"$uv" build --quiet --out-dir "$work/dist" .
wheel=$(echo "$work"/dist/cliper-*.whl)
[ -e "$(echo "$work"/dist/cliper-*.tar.gz)" ]
if [ "$versions" = lowest ]; then # of what pyproject.toml names, the newest of what that needs
  pins=$work/lowest.txt
  named=()
  for extra in ${extras//,/ }; do named+=(--extra "$extra"); done
  "$uv" pip compile --quiet --resolution lowest-direct "${named[@]}" \
    --output-file "$pins" pyproject.toml
else
  pins=constraints.txt
fi
"$uv" pip install --quiet --constraint "$pins" "$wheel${extras:+[$extras]}"
"$uv" pip freeze >"$work/versions.txt"

cd "$work"
run() { echo "== $*" && "$work/env/bin/$@"; }
run python -c 'import cliper, sys; print(sys.version.split()[0], cliper.__file__); assert "env" in cliper.__file__'
run cliper doctor
run python "$root/examples/raw_shop.py" raw 90
run cliper prepare files --items raw/items.csv --interactions raw/log.csv \
  --images raw/pictures --min-rating 4 --k-core 2 --keep-unbought --out data/shop
run cliper encode data/shop
run cliper train data/shop --backbone freedom --features cliper --epochs 2 --out runs/shop
run cliper evaluate runs/shop
run cliper recommend runs/shop --user user-0001 user-0002 --popular
run cliper export runs/shop --out exported
run cliper compare data/shop --backbones vbpr --features vanilla,cliper --seeds 2 --epochs 1 --processes 1 \
  --out compared

# The unit tests that need no extra, on the installed package.
grep -v cliper versions.txt >installed.txt
"$uv" pip install --quiet --constraint installed.txt pytest pytest-timeout hypothesis
cp -r "$root/tests" "$root/pyproject.toml" "$root/examples" "$work/tests"
cd "$work/tests"
skipped=()
"$work/env/bin/python" -c 'import pandas, polars' 2>/dev/null ||
  skipped=(--ignore tests/data/test_frames.py)
run python -m pytest tests/data tests/training tests/ranking "${skipped[@]}"
