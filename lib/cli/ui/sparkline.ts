/** Numbers as a line of blocks, the largest of them full; what is not known is a gap, and zero the lowest block. */
const BLOCKS = "▁▂▃▄▅▆▇█";

export function sparkline(values: readonly (number | undefined)[]): string {
  const most = Math.max(1, ...values.map((value) => value ?? 0));
  return values
    .map((value) => (value === undefined ? " " : (BLOCKS[Math.ceil((value / most) * (BLOCKS.length - 1))] as string)))
    .join("");
}
