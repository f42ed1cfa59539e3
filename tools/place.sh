#!/bin/sh
# Owns where a checkout's program, manual and completions are found by the system: links and files below PREFIX
# (/usr/local), or below DESTDIR for an image. Usage: tools/place.sh place | take-away
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
below=${DESTDIR:-}${PREFIX:-/usr/local}
bash=$below/share/bash-completion/completions/heddle
zsh=$below/share/zsh/site-functions/_heddle
fish=$below/share/fish/vendor_completions.d/heddle.fish

case ${1:-} in
place | take-away) ;;
*)
  echo "Usage: tools/place.sh place | take-away" >&2
  exit 64
  ;;
esac

# The pages of an earlier version may be called otherwise.
rm -f "$below/bin/heddle" "$bash" "$zsh" "$fish" \
  "$below"/share/man/man1/heddle.1 "$below"/share/man/man5/heddle.yaml.5 "$below"/share/man/man7/heddle-*.7
[ "$1" = place ] || exit 0

mkdir -p "$below/bin" "${bash%/*}" "${zsh%/*}" "${fish%/*}"
ln -s "$here/bin/heddle" "$below/bin/heddle"
"$here/bin/heddle" completion bash >"$bash"
"$here/bin/heddle" completion zsh >"$zsh"
"$here/bin/heddle" completion fish >"$fish"
for page in "$here"/dist/man/man?/*; do
  section=${page%/*}
  install -D -m 644 "$page" "$below/share/man/${section##*/}/${page##*/}"
done
