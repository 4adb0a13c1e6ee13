/**
 * Gauges as metrics of CloudWatch, by PutMetricData
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html). They are gathered, and sent when
 * asked to: a request takes 1,000 values and 1 MB. A value that is sent twice is one sample more of the same: a request whose
 * answer was lost is repeated.
 */
import { type Clock, type Labels, type Metrics, StorageError } from "../../ports/index.ts";

const VALUES_TOGETHER = 500;
const TRIES = 4;
const DIMENSION_MOST = 1024;

export interface CloudWatchParts {
  readonly clock: Clock;
  /** `https://monitoring.<region>.amazonaws.com`. */
  readonly endpoint: string;
  /** Signs and sends. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly namespace: string;
  /** With every value: what tells deployments apart. */
  readonly dimensions: Labels;
}

interface Gauge {
  readonly name: string;
  readonly value: number;
  readonly dimensions: Labels;
  readonly atMs: number;
}

export class CloudWatchMetrics implements Metrics {
  readonly #parts: CloudWatchParts;
  #gauges: Gauge[] = [];

  constructor(parts: CloudWatchParts) {
    this.#parts = parts;
  }

  count(): void {}

  observe(): void {}

  /** `consumer_lag` with `{ group }` is the metric ConsumerLag with the dimension Group. */
  gauge(name: string, value: number, labels: Labels = {}): void {
    const named = Object.fromEntries(Object.entries(labels).map(([label, text]) => [pascal(label), text]));
    const dimensions = { ...this.#parts.dimensions, ...named };
    this.#gauges.push({ name: pascal(name), value, dimensions, atMs: this.#parts.clock.nowMs() });
  }

  /** Sends what was gathered; answers how many values. Throws `StorageError` when CloudWatch does not take them. */
  async flush(): Promise<number> {
    const gauges = this.#gauges;
    this.#gauges = [];
    for (let i = 0; i < gauges.length; i += VALUES_TOGETHER) await this.#put(gauges.slice(i, i + VALUES_TOGETHER));
    return gauges.length;
  }

  async #put(gauges: readonly Gauge[]): Promise<void> {
    const { clock, endpoint, fetch } = this.#parts;
    const body = this.#request(gauges).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    for (let attempt = 1; ; attempt++) {
      const answer = await fetch(endpoint, { method: "POST", headers, body }).catch((error: unknown) => String(error));
      if (typeof answer !== "string" && answer.ok) return;
      const said = typeof answer === "string" ? answer : `${answer.status} ${(await answer.text()).slice(0, 300)}`;
      const worthIt = typeof answer === "string" || answer.status >= 500 || said.includes("Throttling");
      if (!worthIt || attempt === TRIES) throw new StorageError("unavailable", `CloudWatch does not take metrics: ${said}`);
      await clock.sleep(100 * 2 ** attempt);
    }
  }

  #request(gauges: readonly Gauge[]): URLSearchParams {
    const fields = new URLSearchParams({
      Action: "PutMetricData",
      Version: "2010-08-01",
      Namespace: this.#parts.namespace,
    });
    for (const [i, { name, value, dimensions, atMs }] of gauges.entries()) {
      const at = `MetricData.member.${i + 1}`;
      fields.set(`${at}.MetricName`, name);
      fields.set(`${at}.Value`, String(value));
      fields.set(`${at}.Unit`, name.endsWith("Seconds") ? "Seconds" : name.endsWith("Status") ? "None" : "Count");
      fields.set(`${at}.Timestamp`, new Date(atMs).toISOString());
      for (const [j, [dimension, text]] of Object.entries(dimensions).entries()) {
        fields.set(`${at}.Dimensions.member.${j + 1}.Name`, dimension);
        fields.set(`${at}.Dimensions.member.${j + 1}.Value`, dimensionValue(text));
      }
    }
    return fields;
  }
}

/** CloudWatch takes visible ASCII there, and no colon in front: anything else as in a URL. */
function dimensionValue(text: string): string {
  const plain = text.replace(/^:|%|[^\x21-\x7e]+/g, (some) =>
    some === "%" ? "%25" : some === ":" ? "%3A" : encodeURIComponent(some),
  );
  return plain.slice(0, DIMENSION_MOST);
}

function pascal(name: string): string {
  return name.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
