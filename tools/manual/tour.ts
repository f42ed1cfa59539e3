// Owns the tour: a page whose commands are run in labs, and whose output is what they said.
//
// In such a page a comment `lab: FILE` begins a chapter, which has a fresh lab of that topology; a comment `steps` holds
// steps in the words of lab/README.md. What they show goes into the fence below the comment, where there is one. Words of
// the tour's own: `first` and `last`, how many lines are enough; `told`, what stands in a command's place.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";

/** The pages, from the root of the checkout. */
export const PAGES = ["README.md", "docs/TOUR.md"] as const;

interface Step {
  heddle?: string | string[];
  run?: string | string[];
  on?: string;
  as?: string;
  show?: boolean;
  pairs?: object;
  ways?: object;
  first?: number;
  last?: number;
  told?: string;
}

/** The steps of one comment, and where in the page their fence is. */
interface Piece {
  steps: Step[];
  /** What stands in the fence now, and where; absent where there is none. */
  fence?: { from: number; to: number };
}

/** A part of the page with one lab. */
export interface Chapter {
  /** Its topology, from the root of the checkout. */
  lab: string;
  /** Whether it takes real root: its hosts have users of their own. */
  needsRoot: boolean;
  pieces: Piece[];
}

/** The chapters of the page. Anchors of YAML that a chapter sets hold to its end. */
export function readChapters(page: string, root: string): Chapter[] {
  const starts = [...page.matchAll(/<!-- lab: (\S+) -->/g)];
  return starts.map(({ index, 1: lab = "" }, number): Chapter => {
    const part = page.slice(index, starts[number + 1]?.index);
    const found = [...part.matchAll(/<!-- steps\n([\s\S]*?)-->\n(?:```console\n([\s\S]*?)```\n)?/g)];
    const lists = found.map(([, steps = ""]) => `-\n${steps.replace(/^(?=.)/gm, "  ")}`).join("");
    const steps = (parse(lists) ?? []) as Step[][];
    const pieces = found.map((match, at): Piece => {
      const shown = match[2];
      const to = index + match.index + match[0].length - "```\n".length;
      return { steps: steps[at] ?? [], ...(shown === undefined ? {} : { fence: { from: to - shown.length, to } }) };
    });
    const { hosts } = parse(readFileSync(join(root, lab), "utf8")) as { hosts: Record<string, { users?: object }> };
    return { lab, needsRoot: Object.values(hosts).some(({ users }) => users), pieces };
  });
}

/** What a fence of the page should hold. */
export interface Output {
  from: number;
  to: number;
  text: string;
}

/** Runs a chapter in a lab. Throws when a step fails, with what it said. */
export function runChapter(chapter: Chapter, root: string): Output[] {
  const place = mkdtempSync(join(tmpdir(), "heddle-tour-"));
  try {
    const file = join(place, "tour.yaml");
    const topology = parse(readFileSync(join(root, chapter.lab), "utf8")) as object;
    const steps = chapter.pieces.flatMap((piece) => piece.steps.map(forTheLab));
    writeFileSync(
      file,
      stringify({ ...topology, scenarios: { tour: { about: "The tour.", steps } } }, { lineWidth: 0 }),
    );
    const run = spawnSync(join(root, "bin/heddle"), ["--json", "lab", "run", file], {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    if (run.status !== 0) throw new Error(`the chapter of ${chapter.lab} fails:\n${run.stderr}`);
    const report = JSON.parse(run.stdout) as { scenarios: { steps: { text: string; lines: string[] }[] }[] };
    const results = report.scenarios[0]?.steps ?? [];
    let next = 0;
    return chapter.pieces.flatMap(({ steps: own, fence }) => {
      const shown = own.map((step) => showStep(step, results[next++] ?? { text: "", lines: [] }));
      const text = shown.filter((lines) => lines !== "").join("\n");
      return fence ? [{ ...fence, text }] : [];
    });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** The step without the tour's own words. */
function forTheLab(step: Step): object {
  return Object.fromEntries(Object.entries(step).filter(([key]) => !["first", "last", "told"].includes(key)));
}

/** Where a lab keeps the files of its hosts. */
const LAB_FILE = /\/run\/heddle-lab\/\S+?\.yaml/g;

/** What is seen of a step: the command behind a prompt, and what it said. */
function showStep(step: Step, result: { text: string; lines: readonly string[] }): string {
  const { text } = result;
  const lines = result.lines.every((line) => line === "") ? [] : result.lines;
  const { first = lines.length, last = 0 } = step;
  const kept = last > 0 ? lines.slice(-last) : lines.slice(0, first);
  const cut = kept.length < lines.length;
  const shown = [...(cut && last > 0 ? ["…"] : []), ...kept, ...(cut && last === 0 ? ["…"] : [])];
  const said = shown.map((line) => `${line.replaceAll(LAB_FILE, "/etc/heddle/heddle.yaml").trimEnd()}\n`).join("");
  if (step.pairs || step.ways || step.told !== undefined) return `${step.told ?? text}\n${said}`;
  if (step.show !== true) return "";
  const words = [step.heddle ?? step.run ?? []].flat().join(" ");
  const prompt = step.as === undefined ? `${step.on}#` : `${step.as}@${step.on}$`;
  return `${prompt} ${step.heddle === undefined ? "" : "heddle "}${words}\n${said}`;
}

/** The page with what was shown in its fences. */
export function putOutputs(page: string, outputs: readonly Output[]): string {
  const last = [...outputs].sort((a, b) => b.from - a.from);
  return last.reduce((text, output) => text.slice(0, output.from) + output.text + text.slice(output.to), page);
}

/** The page without what is another at every run: times, process ids, and which pairs of a broken set-up happen to work. */
export function withoutChance(page: string): string {
  return page
    .replace(/^(✗|pairs of ).*$/gm, (line) => line.replace(/\d+/g, "#").replace(/ +/g, " "))
    .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?\b/g, "#")
    .replace(/\b\d\d:\d\d:\d\d(\.\d+)?\b/g, "#")
    .replace(/\b\d+(\.\d+)? ?(µs|ms|s|kB|MB)\b/g, "#")
    .replace(/\b\d+ %/g, "# %")
    .replace(/\bpid[ =]\d+/g, "pid #");
}
