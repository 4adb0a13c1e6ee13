/** Lag by the paths and in the JSON of Confluent's REST API v3. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import type { PartitionLag } from "../../lag/types.ts";
import { onGroup } from "../access.ts";
import { json } from "../call.ts";
import { lagOf } from "../lag/json.ts";
import { type Operation, operation } from "../operation.ts";
import { linksOf } from "./cluster.ts";
import { type Links, listOf } from "./resources.ts";

const GROUP = "/v3/clusters/{cluster_id}/consumer-groups/{group}";
const JSON_TYPE = "application/json";
const metadata = z.object({ self: z.string(), resource_name: z.string() });
const related = z.object({ related: z.string() });

const lagSchema = z.object({
  kind: z.literal("KafkaConsumerLag"),
  metadata,
  cluster_id: z.string(),
  consumer_group_id: z.string(),
  topic_name: z.string(),
  partition_id: z.int(),
  current_offset: z.int(),
  log_end_offset: z.int(),
  lag: z.int(),
  consumer_id: z.string(),
  instance_id: z.string().nullable(),
  client_id: z.string(),
});

const summarySchema = z.object({
  kind: z.literal("KafkaConsumerGroupLagSummary"),
  metadata,
  cluster_id: z.string(),
  consumer_group_id: z.string(),
  max_lag_consumer_id: z.string(),
  max_lag_instance_id: z.string().nullable(),
  max_lag_client_id: z.string(),
  max_lag_topic_name: z.string(),
  max_lag_partition_id: z.int(),
  max_lag: z.int(),
  total_lag: z.int(),
  max_lag_consumer: related,
  max_lag_partition: related,
});

export function consumerLagOperations(): Operation[] {
  return [
    operation({
      id: "listConsumerLags",
      method: "GET",
      path: `${GROUP}/lags`,
      tag: "groups",
      summary: "The lag of every partition that a group has committed",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "a list", content: { [JSON_TYPE]: listOf("KafkaConsumerLag", lagSchema) } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const { group, partitions } = await (await lagOf(exchange)).groupLag(exchange.param("group"));
        const data = partitions.map((one) => lagResource(links, exchange.param("cluster_id"), group, one));
        return json(links.list("KafkaConsumerLag", exchange.call.path, data));
      },
    }),
    operation({
      id: "getConsumerLag",
      method: "GET",
      path: `${GROUP}/lags/{topic}/partitions/{partition}`,
      tag: "groups",
      summary: "The lag of one partition",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "its lag", content: { [JSON_TYPE]: lagSchema } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const [topic, partition] = [exchange.param("topic"), exchange.partition()];
        const { group, partitions } = await (await lagOf(exchange)).groupLag(exchange.param("group"));
        const found = partitions.find((one) => one.topic === topic && one.partition === partition);
        if (found === undefined)
          throw new BrokerlessError(
            "not_found",
            `group "${group}" has committed nothing for partition ${partition} of topic "${topic}"`,
          );
        return json(lagResource(links, exchange.param("cluster_id"), group, found));
      },
    }),
    operation({
      id: "getConsumerGroupLagSummary",
      method: "GET",
      path: `${GROUP}/lag-summary`,
      tag: "groups",
      summary: "The largest lag of a group, and all of it",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "the summary", content: { [JSON_TYPE]: summarySchema } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const { group, maxLag, totalLag } = await (await lagOf(exchange)).groupLag(exchange.param("group"));
        if (maxLag === undefined) throw new BrokerlessError("not_found", `group "${group}" has committed nothing yet`);
        const cluster = exchange.param("cluster_id");
        const { topic, partition, owner } = maxLag;
        const self = `${links.cluster}/consumer-groups/${encodeURIComponent(group)}`;
        const summary: z.infer<typeof summarySchema> = {
          kind: "KafkaConsumerGroupLagSummary",
          metadata: {
            self: `${self}/lag-summary`,
            resource_name: `crn:///kafka=${cluster}/consumer-group=${group}/lag-summary`,
          },
          cluster_id: cluster,
          consumer_group_id: group,
          max_lag_consumer_id: owner?.memberId ?? "",
          max_lag_instance_id: owner?.instanceId ?? null,
          max_lag_client_id: owner?.clientId ?? "",
          max_lag_topic_name: topic,
          max_lag_partition_id: partition,
          max_lag: maxLag.currentLag,
          total_lag: totalLag,
          max_lag_consumer: { related: `${self}/consumers/${encodeURIComponent(owner?.memberId ?? "")}` },
          max_lag_partition: { related: `${links.topic(topic)}/partitions/${partition}` },
        };
        return json(summary);
      },
    }),
  ];
}

function lagResource(links: Links, cluster: string, group: string, lag: PartitionLag): z.infer<typeof lagSchema> {
  const { topic, partition, owner } = lag;
  return {
    kind: "KafkaConsumerLag",
    metadata: {
      self: `${links.cluster}/consumer-groups/${encodeURIComponent(group)}/lags/${topic}/partitions/${partition}`,
      resource_name: `crn:///kafka=${cluster}/consumer-group=${group}/lag=${topic}/partition=${partition}`,
    },
    cluster_id: cluster,
    consumer_group_id: group,
    topic_name: topic,
    partition_id: partition,
    current_offset: lag.offset,
    log_end_offset: lag.logEndOffset,
    lag: lag.currentLag,
    consumer_id: owner?.memberId ?? "",
    instance_id: owner?.instanceId ?? null,
    client_id: owner?.clientId ?? "",
  };
}
