/** Metrics: counters, gauges and distributions by name. Calls are cheap, never fail and never wait. */
export type Labels = Readonly<Record<string, string>>;

export interface Metrics {
  /** Adds to a counter. */
  count(name: string, by?: number, labels?: Labels): void;
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: Labels): void;
  /** Notes one value of a distribution; the unit is the last word of the name (`produce_latency_ms`). */
  observe(name: string, value: number, labels?: Labels): void;
}

/** Takes everything and keeps nothing. */
export const NO_METRICS: Metrics = { count() {}, gauge() {}, observe() {} };
