// Owns the tests of what a probe reads of an HTTP answer.
import { expect, test } from "vitest";
import { isWellStatus, MOST_STATUS_BYTES, readStatus } from "./status-line.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each([
  ["HTTP/1.1 200 OK\r\n", 200],
  ["HTTP/1.0 503\n", 503],
  ["HTTP/1.1 204 \r\nmore that nobody reads", 204],
  ["HTTP/1.1 302 Found elsewhere\r\n\r\n", 302],
  ["", "more"],
  ["HTT", "more"],
  ["HTTP/1.1 200 OK", "more"],
  ["SSH-2.0-OpenSSH_9.2\r\n", "broken"],
  ["HTTP/2 200\r\n", "broken"],
  ["HTTP/1.1 2000\r\n", "broken"],
  ["HTTP/1.1 099\r\n", "broken"],
  ["HTTP/1.1  200\r\n", "broken"],
  ["HTTP/1.1 200\rOK\r\n", "broken"],
] as const)("%j", (text, expected) => {
  expect(readStatus(bytes(text))).toBe(expected);
});

test("a line without an end is not waited for", () => {
  const start = "HTTP/1.1 200 ";
  expect(readStatus(bytes(start + "x".repeat(MOST_STATUS_BYTES - start.length - 1)))).toBe("more");
  expect(readStatus(bytes(start + "x".repeat(MOST_STATUS_BYTES - start.length)))).toBe("broken");
  expect(readStatus(bytes(`${start}${"x".repeat(MOST_STATUS_BYTES - start.length)}\r\n`))).toBe("broken");
});

test("however it is cut, it is read the same", () => {
  const whole = bytes("HTTP/1.1 200 OK\r\n");
  for (let i = 0; i < whole.length; i++) expect(readStatus(whole.subarray(0, i))).toBe("more");
  expect(readStatus(whole)).toBe(200);
});

test.each([
  [199, false],
  [200, true],
  [399, true],
  [400, false],
  [503, false],
])("%d: %s", (status, well) => {
  expect(isWellStatus(status)).toBe(well);
});
