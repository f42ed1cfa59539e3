#!/bin/sh
# Owns how tests are run: tools/vitest.sh ARGUMENT… is `vitest run ARGUMENT…`, judged by its report.
#
# The runner's bundler is native code that has been seen to crash while the process ends, after every test had passed
# and the report was written. What counts is whether the tests passed, so a death by signal after a whole report that
# says so is told and forgiven; one without such a report is a failure, as every other exit code is.
set -eu
report=$(mktemp)
trap 'rm -f "$report"' EXIT
code=0
# Reading certificates slows every start of Node down, and no test talks to a server.
env -u NODE_EXTRA_CA_CERTS vitest run --reporter=default --reporter=json --outputFile.json="$report" "$@" || code=$?
if [ "$code" -gt 128 ] && node -e '
  const { success, numFailedTests, numPassedTests } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
  process.exit(success && numFailedTests === 0 && numPassedTests > 0 ? 0 : 1);' "$report" 2>/dev/null; then
  echo "The test runner died of signal $((code - 128)) after all tests had passed." >&2
  code=0
fi
exit "$code"
