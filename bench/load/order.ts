/** What the load process is asked for and what it answers. */
export type Order =
  | {
      readonly kind: "produce";
      readonly port: number;
      readonly path: string;
      readonly format: "json" | "raw";
      readonly records: number;
      readonly valueBytes: number;
      readonly connections: number;
      readonly warmMs: number;
      readonly durationMs: number;
    }
  | {
      readonly kind: "replay";
      readonly port: number;
      readonly path: string;
      readonly accept: string;
      readonly valueBytes: number;
      readonly records: number;
    }
  | {
      readonly kind: "tail";
      readonly port: number;
      readonly topic: string;
      readonly perSecond: number;
      readonly durationMs: number;
    };

export interface Measured {
  readonly perSecond?: number;
  /** Of record values, whatever the format around them. */
  readonly megabytesPerSecond?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}
