/** The cluster that a `/v3` path names must be ours. */
import { BrokerlessError } from "../../base/errors.ts";
import { onCluster } from "../access.ts";
import { json } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { type Operation, operation } from "../operation.ts";
import { clusterSchema, Links, listOf } from "./resources.ts";

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

export async function linksOf(exchange: Exchange): Promise<Links> {
  const { origin, base } = exchange.call;
  return new Links(origin + base, await ourCluster(exchange));
}

export function clusterOperations(): Operation[] {
  return [
    operation({
      id: "listClusters",
      method: "GET",
      path: "/v3/clusters",
      tag: "clusters",
      summary: "The one cluster there is",
      access: onCluster("describe"),
      responses: {
        200: { description: "a list of one", content: { "application/json": listOf("KafkaCluster", clusterSchema) } },
      },
      async handle(exchange) {
        const links = await linksOf(exchange);
        return json(links.list("KafkaCluster", exchange.call.path, [links.clusterResource()]));
      },
    }),
    operation({
      id: "getCluster",
      method: "GET",
      path: "/v3/clusters/{cluster_id}",
      tag: "clusters",
      summary: "The cluster",
      access: onCluster("describe"),
      responses: { 200: { description: "the cluster", content: { "application/json": clusterSchema } } },
      async handle(exchange) {
        return json((await linksOf(exchange)).clusterResource());
      },
    }),
  ];
}
