// Owns the proof that the links are foreseen as the file makes them, where the host is not asked.
import { expect, test } from "vitest";
import { linksFrom } from "../../test/cases.ts";
import type { AddressSpec } from "../model/kinds.ts";
import { expectLinks } from "./expected-links.ts";

const own = (address: string): AddressSpec => ({
  family: address.includes(":") ? 6 : 4,
  link: "ib0",
  address,
  scope: "global",
  protocol: 72,
});
const foresee = (present: (string | AddressSpec)[], wanted: string[], ours: string[]): string[] => {
  const links = linksFrom({ ib0: { addresses: present } });
  const [link] = expectLinks(links, wanted.map(own), ours.map(own));
  return (link?.addresses ?? []).map(
    ({ address, secondary, tentative }) => `${secondary ? "*" : ""}${address}${tentative ? "?" : ""}`,
  );
};

test.each([
  ["what is missing comes", ["10.0.0.1/24"], ["10.1.0.1/24"], [], ["10.0.0.1/24", "10.1.0.1/24"]],
  ["what is there already stays where it is", ["10.0.0.1/24"], ["10.0.0.1/24"], [], ["10.0.0.1/24"]],
  ["ours goes when it is not wanted", ["10.0.0.1/24"], [], ["10.0.0.1/24"], []],
  ["others' stays", ["10.0.0.1/24"], [], [], ["10.0.0.1/24"]],
  ["ours of another length gives way", ["fd00::1/128"], ["fd00::1/64"], ["fd00::1/128"], ["fd00::1/64"]],
  ["others' of another length does not", ["fd00::1/128"], ["fd00::1/64"], [], ["fd00::1/128"]],
  [
    "a wanted one that is being probed counts, others' do not",
    [
      { ...own("fd00::1/64"), tentative: true },
      { ...own("fd00::2/64"), tentative: true },
    ],
    ["fd00::1/64"],
    [],
    ["fd00::1/64", "fd00::2/64?"],
  ],
] as [string, (string | AddressSpec)[], string[], string[], string[]][])(
  "%s",
  (_name, present, wanted, ours, result) => {
    expect(foresee(present, wanted, ours)).toEqual(result);
  },
);
