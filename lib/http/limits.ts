/** Every limit of the HTTP surface, in one place. What the log itself limits (`max.message.bytes`) is not here. */
export interface Limits {
  /** A whole request body, as sent and after decompression. */
  readonly bodyBytes: number;
  /** One JSON document of a streamed body. */
  readonly documentBytes: number;
  readonly recordsPerRequest: number;
  readonly headersPerRecord: number;
  readonly keyBytes: number;
  /** Path and query as sent; longer is 414. */
  readonly urlBytes: number;
  /** Bodies of all requests that are held at once; over it requests are answered 429. */
  readonly inFlightBytes: number;
  /** The largest `max_bytes` of a read. */
  readonly readBytes: number;
  /** The longest `timeout` of a long poll. Under 30 s, where API Gateway stops. */
  readonly waitMs: number;
  /** How long a client may pause in the middle of its body. */
  readonly bodyIdleMs: number;
  /** How long a body that is read whole may take. */
  readonly bodyMs: number;
  /** How long a stream of server-sent events may be silent; proxies hang up after more. */
  readonly heartbeatMs: number;
  /** Partitions of one stream of server-sent events. */
  readonly streamPartitions: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 16 * MIB,
  documentBytes: 2 * MIB,
  recordsPerRequest: 100_000,
  headersPerRecord: 256,
  keyBytes: 64 * 1024,
  urlBytes: 8 * 1024,
  inFlightBytes: 256 * MIB,
  readBytes: 64 * MIB,
  waitMs: 25_000,
  bodyIdleMs: 10_000,
  bodyMs: 60_000,
  heartbeatMs: 15_000,
  streamPartitions: 256,
};

/** A number for people: `1,048,576`. */
export function formatCount(n: number): string {
  return n.toLocaleString("en-US");
}
