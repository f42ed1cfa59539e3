// Owns the reading of what is mounted where.

/** One line of /proc/self/mountinfo (proc(5)). */
export interface Mount {
  /** What part of the file system is shown: "/" for all of it. */
  root: string;
  point: string;
  type: string;
  /** What is mounted: a device, a server's directory, or any word where there is nothing. */
  source: string;
  readOnly: boolean;
  /** Options of the file system itself: the controllers, for control groups of version 1. */
  options: string[];
}

/** Reads mountinfo; lines that are not as proc(5) says are left out. */
export function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root, point, options] = before.split(" ");
    const [type, source = "", superOptions = ""] = after.split(" ");
    if (root === undefined || point === undefined || options === undefined || !type) return [];
    return [
      {
        root: unescape(root),
        point: unescape(point),
        type,
        source: unescape(source),
        readOnly: options.split(",").includes("ro"),
        options: superOptions.split(","),
      },
    ];
  });
}

/** Spaces, tabs, line feeds and backslashes stand there in octal. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
