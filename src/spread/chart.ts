// Owns the chart of links' rates over time, as SVG text.

/** Rates of one link. */
export interface Series {
  name: string;
  points: readonly { atMs: number; bytesPerSecond: number }[];
}

const [WIDTH, HEIGHT] = [860, 360];
const MARGIN = { left: 92, right: 150, top: 40, bottom: 44 } as const;
/** Colours that differ for the colour-blind too (Okabe and Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a6d00"];

/** Draws the rates; `title` and names of links may hold any characters. */
export function drawChart(title: string, series: readonly Series[]): string {
  const all = series.flatMap(({ points }) => points);
  const first = Math.min(...all.map(({ atMs }) => atMs));
  const seconds = all.length === 0 ? 1 : Math.max((Math.max(...all.map(({ atMs }) => atMs)) - first) / 1000, 0.001);
  const top = roundUp(Math.max(...all.map(({ bytesPerSecond }) => 8 * bytesPerSecond), 1));
  const x = (atMs: number): number =>
    MARGIN.left + ((atMs - first) / 1000 / seconds) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (bits: number): number => HEIGHT - MARGIN.bottom - (bits / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const bottom = HEIGHT - MARGIN.bottom;
  const right = WIDTH - MARGIN.right;
  const rows = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const at = y(part * top).toFixed(1);
    return `<line x1="${MARGIN.left}" x2="${right}" y1="${at}" y2="${at}" class="grid"/><text x="${MARGIN.left - 8}" y="${at}" class="side">${sayRate((part * top) / 8)}</text>`;
  });
  const columns = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const at = MARGIN.left + part * (right - MARGIN.left);
    return `<text x="${at.toFixed(1)}" y="${bottom + 20}" class="foot">${(part * seconds).toFixed(seconds < 20 ? 1 : 0)} s</text>`;
  });
  const lines = series.map(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length] ?? "#000000";
    const path = points.map(({ atMs, bytesPerSecond }) => `${x(atMs).toFixed(1)},${y(8 * bytesPerSecond).toFixed(1)}`);
    const label = MARGIN.top + 8 + 20 * i;
    return `<polyline points="${path.join(" ")}" style="stroke:${colour}"/><line x1="${right + 14}" x2="${right + 38}" y1="${label}" y2="${label}" style="stroke:${colour};stroke-width:2"/><text x="${right + 46}" y="${label}" class="name">${escape(name)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">
<title>${escape(title)}</title>
<style>text{font:12px sans-serif;fill:#222;dominant-baseline:middle}.side{text-anchor:end}.foot{text-anchor:middle}.head{font-size:15px}.grid{stroke:#ddd}polyline{fill:none;stroke-width:2;stroke-linejoin:round}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="${MARGIN.left}" y="20" class="head">${escape(title)}</text>
${[...rows, ...columns, ...lines].join("\n")}
</svg>
`;
}

/** "1.2 Gbit/s" of bytes a second. */
export function sayRate(bytesPerSecond: number): string {
  const bits = 8 * bytesPerSecond;
  const [unit, size] =
    bits >= 1e9 ? ["Gbit/s", 1e9] : bits >= 1e6 ? ["Mbit/s", 1e6] : bits >= 1e3 ? ["kbit/s", 1e3] : ["bit/s", 1];
  const value = bits / size;
  return `${value >= 100 || size === 1 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`;
}

/** The next of 1, 2, 4, 5 or 8 times a power of ten: quarters of it are short numbers. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 4, 5, 8, 10].find((step) => step * power >= value) ?? 10) * power;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[one] ?? one);
}
