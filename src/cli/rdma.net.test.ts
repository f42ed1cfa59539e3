// Owns the proof of `heddle rdma decode` as its users run it: the built bundle, from another folder; and against tshark.
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LINK_TYPE, writePcap } from "../rdma/codec/testing/write-capture.ts";
import { vector } from "../rdma/codec/testing/vectors.ts";
import type { PacketReport } from "../rdma/decode/report.ts";
import type { Counts } from "../rdma/decode/tally.ts";

const root = join(import.meta.dirname, "../..");
const vectors = join(root, "test/vectors");
const captures = join(root, "test/captures");
let place = "";

interface Output {
  packets: PacketReport[];
  counts: Counts;
  diagnostics: { code: string; summary: string; detail: string }[];
}

function decode(words: readonly string[], input?: Uint8Array) {
  const options = { cwd: "/", encoding: "utf8", maxBuffer: 64 * 1024 * 1024, input } as const;
  const { status, stdout, stderr } = spawnSync(join(root, "bin/heddle"), ["rdma", "decode", ...words], options);
  return { code: status, out: stdout, err: stderr };
}

function decodeJson(...words: string[]): Output & { code: number | null } {
  const { code, out, err } = decode([...words, "--json"]);
  expect(err).toBe("");
  return { code, ...(JSON.parse(out) as Output) };
}

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-decode-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** A capture of a good packet, and one whose payload was damaged. */
function damaged(): string {
  const { bytes } = vector("roce4_ud_send");
  const harmed = bytes.slice();
  harmed[70] = 0;
  const file = join(place, "damaged.pcap");
  writeFileSync(file, writePcap([bytes, harmed], { linkType: LINK_TYPE.ethernet }));
  return file;
}

test.each([[[]], [["--limit", "3"]]])("packets %s and what was counted stand on lines of their own", (words) => {
  const file = join(place, "both");
  const both = openSync(file, "w");
  const command = ["rdma", "decode", join(captures, "udaddy.pcap"), ...words];
  spawnSync(join(root, "bin/heddle"), command, { stdio: ["ignore", both, both] });
  closeSync(both);
  const lines = readFileSync(file, "utf8").split("\n");
  expect(lines.slice(-2)).toEqual([expect.stringMatching(/^\d+ packets?, \d+ of RDMA/), ""]);
  expect(decode(command.slice(2)).out).toMatch(/[^\n]\n$/);
});

describe("what the exit code says", () => {
  test("0: all is well", () => {
    expect(decode([join(vectors, "roce.pcap")])).toMatchObject({
      code: 0,
      err: "13 packets, 13 of RDMA: ICRC 13 ok.\n",
    });
  });

  test("2: a CRC is wrong, and the packet that has it is marked", () => {
    const run = decode([damaged()]);
    expect(run.code).toBe(2);
    expect(run.out.split("\n")[0]).toMatch(/icrc ok$/);
    expect(run.out.split("\n")[1]).toMatch(/ICRC BAD \(is 1d4cee32, expected 04f75895\)$/);
    const { packets, counts } = decodeJson(damaged(), "--bad");
    expect(packets).toMatchObject([{ number: 2, icrc: "bad", vcrc: "absent" }]);
    expect(counts).toMatchObject({ packets: 2, shown: 1, icrc: { ok: 1, bad: 1 } });
  });

  test("1: the file is cut off; what was whole is shown, and the place is said", () => {
    const whole = readFileSync(join(vectors, "roce.pcap"));
    const file = join(place, "cut.pcap");
    writeFileSync(file, whole.subarray(0, 700));
    const run = decode([file]);
    expect(run.code).toBe(1);
    expect(run.out.trimEnd().split("\n")).toHaveLength(4);
    expect(run.err).toContain(`${file} is broken at byte 612`);
    expect(run.err).toContain("What is at byte 612 is cut off: the file ends 88 bytes into it.");
    expect(decodeJson(file)).toMatchObject({
      code: 1,
      counts: { packets: 4 },
      diagnostics: [{ code: "capture-broken" }],
    });
  });

  test.each([
    ["there is none", "/nowhere.pcap", "file-unreadable", "There is no such file."],
    ["it is a directory", "/", "file-unreadable", "It is a directory."],
    ["it is something else", join(vectors, "vectors.json"), "capture-broken", "It is neither pcap, pcapng nor ERF."],
  ])("1: %s", (_, file, code, detail) => {
    expect(decodeJson(file)).toMatchObject({ code: 1, packets: [], diagnostics: [{ code, detail }] });
  });

  test.each([
    ["--opcode", "UD_SEND"],
    ["--qp", "16777216"],
    ["--qp", "0x"],
    ["--limit", "0"],
  ])("64: %s %s is wrong", (...words) => {
    expect(decode([join(vectors, "roce.pcap"), ...words])).toMatchObject({ code: 64, out: "" });
  });
});

describe("what is asked for", () => {
  const numbers = (...words: string[]): number[] =>
    decodeJson(join(vectors, "roce.pcap"), ...words).packets.map(({ number }) => number);

  test("a queue pair, an opcode, a few, or several of these", () => {
    expect(numbers("--qp", "0xffffff")).toEqual([7, 8]);
    expect(numbers("--qp", "1")).toEqual([9, 10, 11, 12]);
    expect(numbers("--opcode", "ud-send-only-with-immediate")).toEqual([4]);
    expect(numbers("--opcode", "0x65")).toEqual([4]);
    expect(numbers("--qp", "1", "--limit", "2")).toEqual([9, 10]);
  });

  test("standard input", () => {
    const run = decode(["-", "--limit", "1", "--json"], readFileSync(join(vectors, "ib.erf")));
    expect((JSON.parse(run.out) as Output).packets).toMatchObject([{ kind: "infiniband", icrc: "ok", vcrc: "ok" }]);
  });

  test("a stop when nobody reads any more", () => {
    const { bytes } = vector("roce4_ud_send");
    const file = join(place, "many.pcap");
    writeFileSync(
      file,
      writePcap(
        Array.from({ length: 60_000 }, () => bytes),
        { linkType: LINK_TYPE.ethernet },
      ),
    );
    const text = execFileSync(
      "sh",
      ["-c", '"$0" rdma decode "$1" 2>"$2" | head -n 1', join(root, "bin/heddle"), file, join(place, "err")],
      {
        encoding: "utf8",
      },
    );
    expect(text).toContain("    1    0.000000 RoCEv2");
    const read = Number(/^(\d+) packets/.exec(readFileSync(join(place, "err"), "utf8"))?.[1]);
    expect(read).toBeLessThan(60_000);
  });
});

/** What tshark says of RDMA packets, in the names of reports. */
function tshark(file: string): Map<number, Partial<PacketReport>> {
  const fields = [
    "frame.number",
    "frame.time_epoch",
    "infiniband.bth.destqp",
    "infiniband.bth.psn",
    "infiniband.deth.srcqp",
  ];
  const words = ["-n", "-r", file, "-T", "fields", "-E", "separator=|", ...fields.flatMap((field) => ["-e", field])];
  const text = execFileSync("tshark", words, {
    encoding: "utf8",
    env: { ...process.env, HOME: place },
    stdio: ["ignore", "pipe", "ignore"],
  });
  return new Map(
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const [number, time, destQp, psn, srcQp] = line.split("|") as [string, string, string, string, string];
        const transport = destQp === "" ? {} : { destQp: Number(destQp), psn: Number(psn) };
        return [Number(number), { time, ...transport, ...(srcQp === "" ? {} : { srcQp: Number(srcQp) }) }];
      }),
  );
}

const files = [
  ...readdirSync(captures).map((name) => join(captures, name)),
  ...["roce.pcap", "ib-erf197.pcap", "ib.erf", "sa-erf197.pcap"].map((name) => join(vectors, name)),
];

describe.each(files.map((file) => [file.slice(root.length + 1), file] as const))("%s", (_, file) => {
  test("is to heddle what it is to tshark, and every packet of a real host has a right ICRC", () => {
    const theirs = tshark(file);
    const { packets, counts, code } = decodeJson(file);
    expect(packets.map(({ number }) => number)).toEqual([...theirs.keys()]);
    for (const { number, time, destQp, psn, srcQp } of packets) {
      const ours = {
        time,
        ...(destQp === undefined ? {} : { destQp, psn }),
        ...(srcQp === undefined ? {} : { srcQp }),
      };
      expect(ours).toEqual(theirs.get(number));
    }
    expect(counts.rdma).toBeGreaterThan(0);
    expect(counts.icrc.bad + counts.vcrc.bad).toBe(0);
    if (file.startsWith(captures)) expect([code, counts.icrc.ok, counts.broken]).toEqual([0, counts.rdma, 0]);
  });
});
