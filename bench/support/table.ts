/** The table that a benchmark prints. */
export interface Row {
  readonly name: string;
  readonly target: string;
  readonly perSecond: number | undefined;
  readonly megabytesPerSecond: number | undefined;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** `last`: what the last column is. */
export function printTable(rows: readonly Row[], last = "target"): void {
  const number = (value: number | undefined, digits: number): string => (value === undefined ? "" : value.toFixed(digits));
  const cells = [
    ["", "per second", "MB/s", "p50 ms", "p99 ms", last],
    ...rows.map((row) => [
      row.name,
      number(row.perSecond, 0),
      number(row.megabytesPerSecond, 0),
      number(row.p50Ms, 2),
      number(row.p99Ms, 2),
      row.target,
    ]),
  ];
  const widths = cells[0]?.map((_, c) => Math.max(...cells.map((row) => row[c]?.length ?? 0))) ?? [];
  for (const row of cells)
    console.log(
      row
        .map((cell, c) => (c === 0 || c === 5 ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0)))
        .join("  ")
        .trimEnd(),
    );
}
