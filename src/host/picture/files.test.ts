// Owns the proof that a diagnosis reads plain files of a bounded size below its root, and nothing else.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { isEnabled, WISHES } from "../../doctor/paths.ts";
import { readNetworkdSwitch } from "../../doctor/systemd-conf.ts";
import { MOST_BYTES, MOST_ENTRIES, readFiles, readText } from "./files.ts";

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "heddle-root-"));
  return () => rmSync(root, { recursive: true, force: true });
});

function place(path: string): string {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  return join(root, path);
}

describe("a text", () => {
  test("is read whole up to the limit, and not beyond", async () => {
    writeFileSync(place("/etc/a"), "x".repeat(MOST_BYTES));
    writeFileSync(place("/etc/b"), "x".repeat(MOST_BYTES + 1));
    expect(await readText(root, "/etc/a")).toHaveLength(MOST_BYTES);
    expect(await readText(root, "/etc/b")).toEqual({ why: `It has more than ${MOST_BYTES} bytes.` });
  });

  test("that is not there, or below a file, is absent", async () => {
    writeFileSync(place("/etc/a"), "");
    expect([await readText(root, "/etc/none"), await readText(root, "/etc/a/b")]).toEqual([undefined, undefined]);
  });

  test("is never a FIFO, a device or a directory, though a link leads to it", async () => {
    execFileSync("mkfifo", [place("/etc/fifo")]);
    mkdirSync(place("/etc/folder"));
    symlinkSync("fifo", place("/etc/link"));
    symlinkSync("/dev/zero", place("/etc/zero"));
    const odd = { why: "It is not a plain file." };
    expect(await readText(root, "/etc/fifo")).toEqual(odd);
    expect(await readText(root, "/etc/link")).toEqual(odd);
    expect(await readText(root, "/etc/folder")).toEqual(odd);
    expect(await readText("/", `${root}/etc/zero`)).toEqual(odd);
  });

  test("is not looked for outside the root", async () => {
    symlinkSync("/etc/passwd", place("/etc/outside"));
    writeFileSync(place("/etc/real"), "here");
    symlinkSync("real", place("/etc/inside"));
    expect(await readText(root, "/etc/outside")).toEqual({ why: `It is a link out of ${root}.` });
    expect(await readText(root, "/etc/inside")).toBe("here");
  });

  test("that a link to /dev/null hides is empty", async () => {
    symlinkSync("/dev/null", place("/etc/systemd/networkd.conf.d/50-x.conf"));
    expect(await readText(root, "/etc/systemd/networkd.conf.d/50-x.conf")).toBe("");
  });
});

describe("all that is wished for", () => {
  test("is read from a tree like a host's, and hidden files hide", async () => {
    writeFileSync(place("/usr/lib/systemd/networkd.conf.d/50-x.conf"), "[Network]\nManageForeignRoutes=no\n");
    symlinkSync("/dev/null", place("/etc/systemd/networkd.conf.d/50-x.conf"));
    writeFileSync(place("/run/systemd/netif/state"), "OPER_STATE=routable\n");
    symlinkSync(
      "/lib/systemd/system/nftables.service",
      place("/etc/systemd/system/sysinit.target.wants/nftables.service"),
    );
    symlinkSync(
      "/lib/systemd/system/firewalld.service",
      place("/etc/systemd/system/multi-user.target.wants/firewalld.service"),
    );
    symlinkSync("/dev/null", place("/etc/systemd/system/firewalld.service"));
    const { files, unseen } = await readFiles(root, WISHES);
    expect(unseen).toEqual([]);
    expect(files["/run/systemd/netif/state"]).toBe("");
    expect(readNetworkdSwitch(files, "ManageForeignRoutes")).toBeUndefined();
    expect([isEnabled(files, "nftables.service"), isEnabled(files, "firewalld.service")]).toEqual([true, false]);
  });

  test("ends with a directory's first entries, and says so", async () => {
    for (let i = 0; i <= MOST_ENTRIES; i++)
      writeFileSync(place(`/etc/systemd/networkd.conf.d/${String(i).padStart(4, "0")}.conf`), "");
    const { files, unseen } = await readFiles(root, WISHES);
    expect(Object.keys(files)).toHaveLength(MOST_ENTRIES);
    expect(unseen).toEqual([{ what: "/etc/systemd/networkd.conf.d", why: `It has ${MOST_ENTRIES + 1} entries.` }]);
  });
});
