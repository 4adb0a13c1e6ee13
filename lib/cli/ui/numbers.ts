/** Numbers for people. */

/** `1,234,567`. */
export function count(n: number): string {
  return n.toLocaleString("en-US");
}

/** `1 record`, `2 records`. */
export function plural(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** `12.3 MB`: powers of 1,000. */
export function bytes(n: number): string {
  let unit = 0;
  let value = n;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `0.4 s`, `1 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** So many a second; 0 for no time. */
export function rate(n: number, ms: number): number {
  return ms <= 0 ? 0 : (n * 1000) / ms;
}

/** `1,000 records, 1.2 MB in 0.5 s (2,000 records/s, 2.4 MB/s)`; `where` as in ` to clicks`. */
export function throughput(records: number, sizeBytes: number, elapsedMs: number, where = ""): string {
  const speed = `${count(Math.round(rate(records, elapsedMs)))} records/s, ${bytes(rate(sizeBytes, elapsedMs))}/s`;
  return `${plural(records, "record")}, ${bytes(sizeBytes)}${where} in ${duration(elapsedMs)} (${speed})`;
}
