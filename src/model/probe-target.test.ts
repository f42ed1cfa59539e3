// Owns the tests of how targets are written.
import { expect, test } from "vitest";
import { readProbeTarget, sayProbeTarget } from "./probe-target.ts";

test.each([
  ["192.0.2.1", { by: "ping", address: "192.0.2.1" }],
  ["2001:DB8::1", { by: "ping", address: "2001:db8::1" }],
  ["tcp://192.0.2.1:443", { by: "tcp", address: "192.0.2.1", port: 443 }],
  ["tcp://[2001:db8::1]:443", { by: "tcp", address: "2001:db8::1", port: 443 }],
  ["http://192.0.2.1", { by: "http", address: "192.0.2.1", port: 80, path: "/" }],
  ["http://[2001:db8::1]/a?b=c", { by: "http", address: "2001:db8::1", port: 80, path: "/a?b=c" }],
  ["http://192.0.2.1:8080/health", { by: "http", address: "192.0.2.1", port: 8080, path: "/health" }],
])("%s", (text, expected) => {
  const target = readProbeTarget(text);
  expect(target).toEqual(expected);
  if ("by" in target) expect(readProbeTarget(sayProbeTarget(target))).toEqual(target);
});

test.each([
  ["", /no target/],
  ["example.org", /no target/],
  ["http://example.org/", /not an address/],
  ["http://2001:db8::1/", /does not stand in brackets/],
  ["tcp://[192.0.2.1]:443", /stands in brackets/],
  ["https://192.0.2.1/", /TLS/],
  ["ftp://192.0.2.1/", /no way to ask/],
  ["tcp://192.0.2.1", /which port/],
  ["tcp://192.0.2.1:0", /which port/],
  ["tcp://192.0.2.1:65536", /which port/],
  ["tcp://192.0.2.1:443/x", /has a path/],
  ["http://192.0.2.1/a b", /cannot be asked/],
  ["http://192.0.2.1/a\r\nX: y", /no target|cannot be asked/],
  [`http://192.0.2.1/${"x".repeat(256)}`, /cannot be asked/],
])("%j is refused", (text, message) => {
  const target = readProbeTarget(text);
  expect("message" in target ? target.message : target).toMatch(message);
  if ("message" in target) expect(target.remedy).toMatch(/Write|leave them out/);
});
