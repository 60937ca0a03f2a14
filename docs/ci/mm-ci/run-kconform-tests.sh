#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# MM CI host test: what the series of a pull request makes of the inline functions that it adds or
# changes, on the tree that it is for. Exit status: 0 passed, 1 findings, 4 skipped.
#
# LINUX_DIR         the kernel's git tree; default: where .github/scripts stands
# KCONFORM_HEAD     the last commit of the series; default: HEAD, of GitHub's merge its second parent
# KCONFORM_BASE     the commit below the series; default: where it leaves its base branch
# KCONFORM          the command; default: kconform
# KCONFORM_OPTIONS  more options for kconform check
set -euo pipefail

linux_dir=$(realpath "${LINUX_DIR:-$(dirname "$(realpath "$0")")/../..}")
kconform=${KCONFORM:-kconform}
read -ra options <<<"${KCONFORM_OPTIONS:-}"

tmp_dir=$(mktemp -d)
log=$tmp_dir/kconform.log
trap 'rm -rf "$tmp_dir"' EXIT

pass() {
	echo "✓ kconform tests passed"
	exit 0
}

fail() {
	cat "$log"
	echo "✗ $1"
	exit 1
}

skip() {
	echo "- kconform tests skipped: $1"
	exit 4
}

commit() {
	git -C "$linux_dir" rev-parse --quiet --verify "$1^{commit}"
}

fork_point() {
	git -C "$linux_dir" merge-base "$1" "$head"
}

find_base() {
	local branch

	if [ -n "${KCONFORM_BASE:-}" ]; then
		commit "$KCONFORM_BASE"
		return
	fi
	for branch in ${merged_onto:+"$merged_onto"} \
		${GITHUB_BASE_REF:+"origin/$GITHUB_BASE_REF" "$GITHUB_BASE_REF"} \
		origin/mm-unstable mm-unstable origin/mm-new mm-new origin/linux linux; do
		if commit "$branch" >/dev/null && fork_point "$branch"; then
			return
		fi
	done
	return 1
}

command -v "$kconform" >/dev/null || skip "there is no $kconform; pipx install kconform"

merged_onto=
head=$(commit "${KCONFORM_HEAD:-HEAD}") || skip "$linux_dir has no commit ${KCONFORM_HEAD:-HEAD}"
if [ -z "${KCONFORM_HEAD:-}" ] && commit "HEAD^2" >/dev/null; then
	merged_onto=$(commit "HEAD^1")
	head=$(commit "HEAD^2")
fi
base=$(find_base) || skip "no base branch is there, or the history is too short; set KCONFORM_BASE"
[ "$base" != "$head" ] || skip "there is no commit above $base"
if git -C "$linux_dir" diff --quiet "$base" "$head" -- 'include/*.h' 'mm/*.[ch]'; then
	skip "the series touches no header and nothing of mm"
fi

echo "Running kconform tests..."
status=0
"$kconform" check --tree "$linux_dir" --range "$base..$head" "${options[@]}" >"$log" 2>&1 || status=$?
case $status in
0) pass ;;
1) fail "kconform tests failed" ;;
2) skip "not judged, $(grep -m 1 -E 'error: |^UNKNOWN' "$log" || echo "without a word")" ;;
*) fail "kconform ended with status $status" ;;
esac
