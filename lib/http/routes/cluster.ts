/** The one cluster there is, as Confluent's REST API v3 has it. */
import { onCluster } from "../access.ts";
import { json } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { type Operation, operation } from "../operation.ts";
import { ourCluster } from "../our-cluster.ts";
import { clusterSchema, Links, listOf } from "./resources.ts";

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
