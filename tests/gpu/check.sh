#!/usr/bin/env bash
# Check the package on a GPU in at most seven minutes: tests, speed, and MNIST; each step is timed and bounded.
#
#   WHEELS=FOLDER SPECVAE_DATA=DIR OUT=DIR tests/gpu/check.sh      on the GPU machine
#   DEVICE=cpu tests/gpu/check.sh                                  the same with small sizes, to try the script itself
#
# WHEELS        the folder that tests/gpu/prepare.sh filled; without it the packages must be there
# SPECVAE_DATA  the folder of benchmark data; without MNIST in it, small digits are made
# OUT           where the results go: steps.csv, check.log, and the figures and pages of the benchmarks: few files, and small
#
# The status is 1 where a step failed or took too long; the others run all the same.
set -uo pipefail
cd "$(dirname "$0")/../.."
device=${DEVICE:-cuda}
out=$(mkdir -p "${OUT:-gpu-check}" && cd "${OUT:-gpu-check}" && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A CPU is slower than a GPU, and what is tried there is the script.
patience=1
[ "$device" = cpu ] && patience=8
failed=0

step() { # NAME SECONDS COMMAND...: run the command, its output to check.log, and note how it went
    local name=$1 limit=$(($2 * patience)) begun=$SECONDS status=0
    shift 2
    echo "== $name" >> "$out/check.log"
    timeout --kill-after=5 "$limit" "$@" >> "$out/check.log" 2>&1 || status=$?
    [ "$status" = 0 ] || failed=1
    echo "$name,$((SECONDS - begun)),$limit,$status" | tee -a "$out/steps.csv"
}

keep() { # FOLDER NAME: the figures of a benchmark, and of its speed the page
    mkdir -p "$out/$2"
    cp "$1/metrics.json" "$out/$2/" || failed=1
    case $2 in speed-*) cp "$1/report.md" "$out/$2/" || failed=1 ;; esac
}

install() {
    if [ -n "${WHEELS:-}" ]; then
        "$python" -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target "$work/site" "$WHEELS"/*.whl || return
    fi
    # The compiled scorer is what the CPU's scores come from; without a C compiler torch stands in, and its tests skip.
    if ! compgen -G "specvae/scoring/kernel/_compiled*.so"; then
        "$python" -m pip install --quiet --no-index --no-deps --no-build-isolation --target "$work/built" . &&
            cp "$work"/built/specvae/scoring/kernel/_compiled*.so specvae/scoring/kernel/ &&
            cp "$work"/built/specvae/alerts/kernel/_compiled*.so specvae/alerts/kernel/ || echo "no compiled scorer"
    fi
    "$python" -c "import torch; print(torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU')"
}

export PYTHONPATH="$PWD:$work/site${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export -f install
export work python
echo "step,seconds,limit,status" > "$out/steps.csv"
: > "$out/check.log"
step install 30 bash -c install

if [ "$device" = cpu ]; then
    step tests 70 "$python" -m pytest -q -p no:cacheprovider -m "not slow" tests/gpu
    sizes=(--size 128 --size 256 --bands 5) digits_of=(--quick)
else
    step tests 70 "$python" -m pytest -q -p no:cacheprovider -m gpu tests/gpu
    sizes=() digits_of=()
fi
step device 110 "$python" -m specvae benchmark speed --presets device --device "$device" --quick --out "$work/device"
keep "$work/device" speed-gpu
step processes 110 "$python" -m specvae benchmark speed --presets processes --device "$device" --quick "${sizes[@]}" \
    --out "$work/processes"
keep "$work/processes" speed-gpu-processes

digits=${SPECVAE_DATA:-}/mnist
if [ ! -d "$digits" ] || [ "$device" = cpu ]; then
    digits=$work/digits
    "$python" -c "import pathlib, sys; from tests.digits import write_digits; write_digits(pathlib.Path(sys.argv[1]))" "$digits"
fi
step conv-bernoulli 60 "$python" -m specvae benchmark mnist --device "$device" --data "$digits" \
    --presets conv-bernoulli "${digits_of[@]}" --out "$work/conv"
keep "$work/conv" conv-bernoulli
# In full it trains twenty models and judges each beside others on the CPU, which takes longer than all the rest here.
step image-mixture 30 "$python" -m specvae benchmark mnist --device "$device" --data "$digits" \
    --presets image-mixture --quick --out "$work/mixture"
keep "$work/mixture" image-mixture
exit $failed
