/** Metrics kept in the process and shown in Prometheus's text format (https://prometheus.io/docs/instrumenting/exposition_formats/). */
import type { Labels, Metrics } from "../ports/index.ts";

/** Upper bounds of the buckets of a distribution, in the unit of its name. */
const BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];

interface Distribution {
  readonly counts: Float64Array;
  count: number;
  sum: number;
}

export class ProcessMetrics implements Metrics {
  readonly #counters = new Map<string, Map<string, number>>();
  readonly #gauges = new Map<string, Map<string, number>>();
  readonly #distributions = new Map<string, Map<string, Distribution>>();
  /** Label objects are mostly the same ones again. */
  readonly #labelTexts = new WeakMap<Labels, string>();

  count(name: string, by = 1, labels?: Labels): void {
    const series = seriesOf(this.#counters, name);
    const key = this.#labelText(labels);
    series.set(key, (series.get(key) ?? 0) + by);
  }

  gauge(name: string, value: number, labels?: Labels): void {
    seriesOf(this.#gauges, name).set(this.#labelText(labels), value);
  }

  observe(name: string, value: number, labels?: Labels): void {
    const series = seriesOf(this.#distributions, name);
    const key = this.#labelText(labels);
    let distribution = series.get(key);
    if (distribution === undefined) {
      distribution = { counts: new Float64Array(BUCKETS.length), count: 0, sum: 0 };
      series.set(key, distribution);
    }
    distribution.count++;
    distribution.sum += value;
    for (let i = 0; i < BUCKETS.length; i++) {
      if (value <= (BUCKETS[i] as number)) {
        distribution.counts[i] = (distribution.counts[i] as number) + 1;
        return;
      }
    }
  }

  /** Everything, as `/metrics` shows it. */
  text(): string {
    const lines: string[] = [];
    for (const [name, series] of this.#counters) simple(lines, name, "counter", series);
    for (const [name, series] of this.#gauges) simple(lines, name, "gauge", series);
    for (const [name, series] of this.#distributions) {
      const full = fullName(name);
      lines.push(`# TYPE ${full} histogram`);
      for (const [labels, { counts, count, sum }] of series) {
        let below = 0;
        for (const [i, bound] of BUCKETS.entries()) {
          below += counts[i] as number;
          lines.push(`${full}_bucket{${withLabel(labels, `le="${bound}"`)}} ${below}`);
        }
        lines.push(
          `${full}_bucket{${withLabel(labels, 'le="+Inf"')}} ${count}`,
          `${full}_sum${braced(labels)} ${sum}`,
          `${full}_count${braced(labels)} ${count}`,
        );
      }
    }
    return `${lines.join("\n")}\n`;
  }

  #labelText(labels: Labels | undefined): string {
    if (labels === undefined) return "";
    let text = this.#labelTexts.get(labels);
    if (text === undefined) {
      text = Object.entries(labels)
        .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (letter) => (letter === "\n" ? "\\n" : `\\${letter}`))}"`)
        .join(",");
      this.#labelTexts.set(labels, text);
    }
    return text;
  }
}

function seriesOf<T>(all: Map<string, Map<string, T>>, name: string): Map<string, T> {
  let series = all.get(name);
  if (series === undefined) {
    series = new Map();
    all.set(name, series);
  }
  return series;
}

function simple(lines: string[], name: string, type: string, series: ReadonlyMap<string, number>): void {
  lines.push(`# TYPE ${fullName(name)} ${type}`);
  for (const [labels, value] of series) lines.push(`${fullName(name)}${braced(labels)} ${value}`);
}

function fullName(name: string): string {
  return `brokerless_${name.replace(/[^a-zA-Z0-9_]/g, "_")}`;
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

function withLabel(labels: string, more: string): string {
  return labels === "" ? more : `${labels},${more}`;
}
