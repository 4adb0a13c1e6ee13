/**
 * What there is once in a deployment. Key `META`, `cluster`: `v` format version, `i` cluster id. Key `META`,
 * `producers`: `v`, `n` how many producer ids were given.
 */
import type { Item, Key, Update } from "../../ports/index.ts";
import { FORMAT_VERSION } from "./format.ts";

export const CLUSTER_KEY: Key = { pk: "META", sk: "cluster" };
const PRODUCERS_KEY: Key = { pk: "META", sk: "producers" };

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
