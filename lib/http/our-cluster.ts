/** The cluster that a `/v3` path names must be ours. */
import { BrokerlessError } from "../base/errors.ts";
import type { Exchange } from "./exchange.ts";

/** Our cluster id. Throws `not_found` when the path names another. */
export async function ourCluster(exchange: Exchange): Promise<string> {
  const ours = await exchange.surface.log.clusterId();
  const asked = exchange.params["cluster_id"];
  if (asked !== undefined && asked !== ours) {
    throw new BrokerlessError("not_found", `there is no cluster ${JSON.stringify(asked)} here; this one is ${ours}`, {
      field: "cluster_id",
    });
  }
  return ours;
}
