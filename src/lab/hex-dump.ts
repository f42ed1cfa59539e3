// Owns the reading of socat's hex dump (-x) as it comes, piece by piece. Pure.
//
//   > 2026/01/02 03:04:05.000572160  length=42 from=0 to=41
//    ff ff ff ff ff ff 02 68 …

/** Puts pieces of the dump together and gives the blocks that are complete. */
export class HexDump {
  #rest = "";
  #wanted = 0;
  #bytes: number[] = [];

  /** Takes the next piece; gives the blocks that it completes. Lines that are no dump are socat's own messages. */
  push(chunk: string): Uint8Array[] {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): Uint8Array[] {
    const header = /^[<>] .*\blength=(\d+) /.exec(line);
    if (header) {
      this.#wanted = Number(header[1]);
      this.#bytes = [];
      return [];
    }
    if (this.#wanted === 0 || !/^( [0-9a-f]{2})+\s*$/.test(line)) return [];
    for (const byte of line.trim().split(" ")) this.#bytes.push(Number.parseInt(byte, 16));
    if (this.#bytes.length < this.#wanted) return [];
    this.#wanted = 0;
    return [Uint8Array.from(this.#bytes)];
  }
}
