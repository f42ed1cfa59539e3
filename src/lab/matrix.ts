// Owns the trial of all pairs between two hosts of a standing lab.
//
// With `flush: run` neighbour tables are emptied once before each method and the pairs run together: packets are told
// apart by echo identifier and source port, but pairs share what was resolved. With `flush: pair` they are emptied
// before each pair, and pairs run one by one (the two families side by side: they share no table).
import { isAnswered, listenerCommand, listPairs, endsOf, pairCommand, PAIR_PORT, type Pair } from "./pairs.ts";
import { judgePair, listOwners, type Verdict } from "./judge.ts";
import type { Lab } from "./lab.ts";
import type { StepOf } from "./step-schema.ts";

/** Pairs that run at once: enough to spend the second of an unanswered one well, few enough for two cores. */
const AT_ONCE = 40;

/** Tries all pairs of a step and judges each. LabError when a tool does not work; an unanswered pair is a verdict. */
export async function tryPairs(lab: Lab, request: StepOf<"pairs">["pairs"], signal?: AbortSignal): Promise<Verdict[]> {
  const names = Object.entries(request.between);
  const between = names.map(([host, links]) => links.map((link) => lab.link(host, link)));
  const families = request.families ?? [4, 6];
  const methods = request.by ?? ["ping", "tcp"];
  const [a = [], b = []] = between;
  const pairs = listPairs({ between: [a, b], methods, families }, () => lab.nextNumber());
  const ends = methods.includes("tcp")
    ? families.flatMap((family) => between.flatMap((links) => endsOf(links, family)))
    : [];
  await using stack = new AsyncDisposableStack();
  const options = signal ? { signal } : {};
  const listeners = await Promise.allSettled(
    ends.map((end) => {
      const listens = { address: end.address, port: PAIR_PORT };
      return lab.spawn(end.host, listenerCommand(end), { listens, ...options });
    }),
  );
  for (const listener of listeners) if (listener.status === "fulfilled") stack.use(listener.value);
  for (const listener of listeners) if (listener.status === "rejected") throw listener.reason;
  // Every link of both hosts: a packet may leave by one that is not in the matrix.
  const watched = lab.links.filter(({ host }) => Object.hasOwn(request.between, host));
  const capture = stack.use(await lab.capture(watched.map(({ host, name }) => ({ host, link: name }))));
  const owners = listOwners(lab.links);
  const flush = (): Promise<unknown> => Promise.all(names.map(([host]) => lab.flushNeighbours(host)));
  const attempt = async (pair: Pair): Promise<boolean> => {
    const { argv, input } = pairCommand(pair);
    const ended = await lab.exec(pair.from.host, argv, { ...options, ...(input !== undefined && { input }) });
    return isAnswered(pair, ended);
  };

  const verdicts: Verdict[] = [];
  for (const batch of request.flush === "pair"
    ? sideBySide(pairs, families)
    : methods.map((by) => ofMethod(pairs, by))) {
    await flush();
    const answers = await mapLimited(batch, AT_ONCE, attempt);
    const frames = await capture.take();
    verdicts.push(...batch.map((pair, index) => judgePair(pair, answers[index] ?? false, frames, owners)));
  }
  return verdicts;
}

function ofMethod(pairs: readonly Pair[], method: Pair["method"]): Pair[] {
  return pairs.filter((pair) => pair.method === method);
}

/** Batches with at most one pair of each family. */
function sideBySide(pairs: readonly Pair[], families: readonly (4 | 6)[]): Pair[][] {
  const columns = families.map((family) => pairs.filter((pair) => pair.family === family));
  const longest = Math.max(0, ...columns.map((column) => column.length));
  return Array.from({ length: longest }, (_, row) => columns.flatMap((column) => column[row] ?? []));
}

/** Applies an effect to every item, a limited number at once; results are in the order of the items. */
async function mapLimited<T, R>(items: readonly T[], limit: number, effect: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await effect(items[index] as T);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
