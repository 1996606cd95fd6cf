#!/usr/bin/env bash
# Makes .venv with vidtrans in it and sees to the few system packages. Safe to run again: it only does what is missing.
#   scripts/setup.sh          what `vidtrans` needs
#   scripts/setup.sh gui      the same, and what the editor needs
#   scripts/setup.sh test     the same, and what the tests need
#   scripts/setup.sh docs     the same, and what builds the site
#   scripts/setup.sh release  the same, and what builds and checks a release
set -euo pipefail
cd "$(dirname "$0")/.."
extras=${1:-}

say() { printf '%s\n' "setup: $*"; }

# --- system packages: ffmpeg for the pipes, the shared libraries that OpenCV's wheel expects, a Python with venv ------------
missing=()
command -v ffmpeg >/dev/null 2>&1 || missing+=(ffmpeg)
has_library() { { ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null; } | grep -- "$1" >/dev/null; }  # not -q: with pipefail its early end would count as a failure
has_library libGL.so.1 || missing+=(libgl1)
has_library libgthread-2.0.so.0 || missing+=(libglib2.0-0)
if [ "$extras" = gui ] || [ "$extras" = test ]; then
    # Qt's xcb plugin does not load where one of these is missing, and does not say which; without fonts it writes boxes.
    for pair in libEGL.so.1=libegl1 libfontconfig.so.1=libfontconfig1 libdbus-1.so.3=libdbus-1-3 \
        libxkbcommon-x11.so.0=libxkbcommon-x11-0 libX11-xcb.so.1=libx11-xcb1 \
        libxcb-cursor.so.0=libxcb-cursor0 libxcb-icccm.so.4=libxcb-icccm4 libxcb-keysyms.so.1=libxcb-keysyms1 \
        libxcb-image.so.0=libxcb-image0 libxcb-render-util.so.0=libxcb-render-util0 libxcb-shape.so.0=libxcb-shape0 \
        libxcb-randr.so.0=libxcb-randr0 libxcb-xkb.so.1=libxcb-xkb1 libxcb-sync.so.1=libxcb-sync1 \
        libxcb-xfixes.so.0=libxcb-xfixes0; do
        has_library "${pair%%=*}" || missing+=("${pair##*=}")
    done
    fonts=$(find /usr/share/fonts /usr/local/share/fonts "${HOME:-}/.fonts" -name '*.[to]tf' -print -quit 2>/dev/null || true)
    [ -n "$fonts" ] || missing+=(fonts-dejavu-core)
fi
if [ "$extras" = test ]; then
    command -v xvfb-run >/dev/null 2>&1 || missing+=(xvfb xauth)
fi

python=""
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    missing+=(python3 python3-venv)
elif [ ! -x .venv/bin/python ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=("python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv")
fi

if [ ${#missing[@]} -gt 0 ]; then
    root=()
    if [ "$(id -u)" != 0 ]; then root=(sudo -n); fi
    if command -v apt-get >/dev/null 2>&1 && "${root[@]}" true 2>/dev/null; then
        say "installing with apt: ${missing[*]}"
        "${root[@]}" apt-get update -qq
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    else
        say "these system packages are missing and cannot be installed from here: ${missing[*]}"
        say "install them (Debian, Ubuntu: sudo apt-get install ${missing[*]}) and run this again"
        exit 1
    fi
    if [ -z "$python" ]; then
        python=python3
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
            say "vidtrans needs Python 3.11 or newer; found $("$python" --version). Name one with PYTHON=/path/to/python3.11"
            exit 1
        }
    fi
fi

# --- the environment --------------------------------------------------------------------------------------------------------
[ -x .venv/bin/python ] || "$python" -m venv .venv
target=${extras:+[$extras]}
stamp=.venv/.installed${extras:+-$extras}
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ constraints.txt -nt "$stamp" ]; then
    say "installing vidtrans$target into .venv (a few minutes the first time)"
    PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install -q -c constraints.txt -e ".$target"
    touch "$stamp"
fi
