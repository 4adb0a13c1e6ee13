/**
 * What there is once in a deployment. Key `META`, `cluster`: `v` format version, `i` cluster id. Key `META`,
 * `producers`: `v`, `n` how many producer ids were given. Key `META`, `sweep`: `v`, `a` when the sweeper had last looked at
 * everything, milliseconds since 1970.
 */
import type { Item, Key, Update } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";

export const CLUSTER_KEY: Key = { pk: "META", sk: "cluster" };
const PRODUCERS_KEY: Key = { pk: "META", sk: "producers" };

export const SWEEP_KEY: Key = { pk: "META", sk: "sweep" };

export function encodeSweep(atMs: number): Item {
  return { v: FORMAT_VERSION, a: atMs };
}

export function decodeSweep(item: Item): number {
  checkFormat(item, "the time of the last sweep");
  return item["a"] as number;
}

export function encodeCluster(clusterId: string): Item {
  return { v: FORMAT_VERSION, i: clusterId };
}

/** Takes the next producer id: the answer's `n`, less one. */
export const TAKE_PRODUCER_ID: Update = {
  op: "update",
  key: PRODUCERS_KEY,
  changes: [
    { set: "v", to: FORMAT_VERSION },
    { add: "n", by: 1 },
  ],
};
