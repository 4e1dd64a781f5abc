/** How hard a code is to read: the lower, the better (ISO/IEC 18004 §7.8.3). */
export function penalty(rows: readonly (readonly boolean[])[]): number {
  const columns = rows.map((_row, x) => rows.map((row) => row[x] === true));
  let cost = 0;
  for (const line of [...rows, ...columns]) cost += runs(line) + lookalikes(line);
  return cost + blocks(rows) + imbalance(rows);
}

function runs(line: readonly boolean[]): number {
  let cost = 0;
  let length = 0;
  for (const [index, dark] of line.entries()) {
    length = index > 0 && dark === line[index - 1] ? length + 1 : 1;
    if (length === 5) cost += 3;
    else if (length > 5) cost += 1;
  }
  return cost;
}

// 1:1:3:1:1 beside four light modules looks like a finder.
function lookalikes(line: readonly boolean[]): number {
  const text = line.map((dark) => (dark ? '1' : '0')).join('');
  let cost = 0;
  for (const pattern of ['10111010000', '00001011101'])
    for (let at = text.indexOf(pattern); at !== -1; at = text.indexOf(pattern, at + 1)) cost += 40;
  return cost;
}

function blocks(rows: readonly (readonly boolean[])[]): number {
  let cost = 0;
  for (const [y, row] of rows.entries()) {
    const below = rows[y + 1];
    if (below === undefined) continue;
    for (let x = 0; x + 1 < row.length; x += 1)
      if (row[x] === row[x + 1] && row[x] === below[x] && row[x] === below[x + 1]) cost += 3;
  }
  return cost;
}

function imbalance(rows: readonly (readonly boolean[])[]): number {
  const dark = rows.flat().filter(Boolean).length;
  const percent = (dark * 100) / rows.length ** 2;
  return Math.floor(Math.abs(percent - 50) / 5) * 10;
}
