#!/bin/sh
# clir in an environment of its own, with the locked dependencies, as both containers have it:
#
#     sh containers/install.sh FOLDER cpu|cuda EXTRAS     # EXTRAS a list with commas, "" for none

set -eu
folder="$1"
torch="$2"
extras="$3"

# PyPI's build of PyTorch is that for CUDA; the one for the CPU has a higher version in PyTorch's own index.
case "$torch" in
    cpu) index=--extra-index-url=https://download.pytorch.org/whl/cpu ;;
    cuda) index=--quiet ;;
    *) echo "TORCH is $torch; allowed: cpu, cuda" >&2 && exit 1 ;;
esac
python3 -m venv "$folder"
"$folder/bin/pip" install --no-cache-dir --disable-pip-version-check --quiet --constraint constraints.txt "$index" ".${extras:+[$extras]}"
"$folder/bin/clir" --version
