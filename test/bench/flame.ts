import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Draws a flame graph of a V8 profile: `node test/bench/flame.ts run.cpuprofile out.svg`.
 * The profile comes from `sys/pprof/profile`, or from `node --cpu-prof`.
 */
interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}
interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const [, , input = '', output = ''] = process.argv;
const profile = JSON.parse(readFileSync(input, 'utf8')) as Profile;
const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
const self = new Map<number, number>();
for (const [index, id] of profile.samples.entries())
  self.set(id, (self.get(id) ?? 0) + (profile.timeDeltas[index] ?? 0));

const WIDTH = 1400;
const ROW = 17;
const totals = new Map<number, number>();
function total(node: ProfileNode): number {
  const known = totals.get(node.id);
  if (known !== undefined) return known;
  if (node.callFrame.functionName === '(idle)') return 0;
  let sum = self.get(node.id) ?? 0;
  for (const child of node.children ?? []) {
    const found = nodes.get(child);
    if (found !== undefined) sum += total(found);
  }
  totals.set(node.id, sum);
  return sum;
}

const rows: string[] = [];
let depth = 0;
function draw(node: ProfileNode, x: number, level: number, scale: number): void {
  const width = total(node) * scale;
  if (width < 1) return;
  depth = Math.max(depth, level);
  const { functionName, url, lineNumber } = node.callFrame;
  const name = functionName === '' ? '(anonymous)' : functionName;
  const file = url.replace(/^.*\/(?=(?:dist|node_modules)\/)/, '');
  const tone = file.startsWith('dist/')
    ? '#e8743b'
    : file.startsWith('node_modules/')
      ? '#d9b44a'
      : '#8fa7bf';
  const label = width > 40 ? name.slice(0, Math.floor(width / 7)) : '';
  const title = `${name} ${file}:${lineNumber + 1} ${((100 * width) / WIDTH).toFixed(1)} %`;
  rows.push(
    `<g><title>${escape(title)}</title><rect x="${x.toFixed(1)}" y="${level * ROW}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${tone}"/><text x="${(x + 2).toFixed(1)}" y="${level * ROW + 12}">${escape(label)}</text></g>`,
  );
  let at = x;
  for (const child of node.children ?? []) {
    const found = nodes.get(child);
    if (found === undefined) continue;
    draw(found, at, level + 1, scale);
    at += total(found) * scale;
  }
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}

const [root] = profile.nodes;
if (root === undefined) throw new TypeError('the profile is empty');
draw(root, 0, 0, WIDTH / total(root));
writeFileSync(
  output,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${(depth + 1) * ROW}" font-family="monospace" font-size="11">${rows.join('\n')}</svg>\n`,
);
