/** Groups, their members and what those have, by the paths and in the JSON of Confluent's REST API v3. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import { inParallel } from "../../base/parallel.ts";
import type { GroupDescription, MemberDescription } from "../../groups/types.ts";
import { onCluster, onGroup } from "../access.ts";
import { json } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { groupsOf } from "../groups/poll.ts";
import { type Operation, operation } from "../operation.ts";
import { linksOf } from "./cluster.ts";
import { type Links, listOf } from "./resources.ts";

const GROUPS = "/v3/clusters/{cluster_id}/consumer-groups";
const GROUP = `${GROUPS}/{group}`;
const CONSUMER = `${GROUP}/consumers/{consumer}`;
const ASSIGNMENTS = `${CONSUMER}/assignments`;
const JSON_TYPE = "application/json";
const GROUPS_AT_ONCE = 16;

const metadata = z.object({ self: z.string(), resource_name: z.string() });
const related = z.object({ related: z.string() });

const groupSchema = z.object({
  kind: z.literal("KafkaConsumerGroup"),
  metadata,
  cluster_id: z.string(),
  consumer_group_id: z.string(),
  is_simple: z.boolean().describe("only offsets are committed; no member ever joined"),
  partition_assignor: z.string(),
  state: z.string().describe("EMPTY, STABLE, PREPARING_REBALANCE, COMPLETING_REBALANCE, ASSIGNING, RECONCILING"),
  type: z.string().describe("CLASSIC, CONSUMER"),
  coordinator: related,
  consumers: related,
  lag_summary: related,
});

const consumerSchema = z.object({
  kind: z.literal("KafkaConsumer"),
  metadata,
  cluster_id: z.string(),
  consumer_group_id: z.string(),
  consumer_id: z.string(),
  instance_id: z.string().nullable(),
  client_id: z.string(),
  assignments: related,
});

const assignmentSchema = z.object({
  kind: z.literal("KafkaConsumerAssignment"),
  metadata,
  cluster_id: z.string(),
  consumer_group_id: z.string(),
  consumer_id: z.string(),
  topic_name: z.string(),
  partition_id: z.int(),
  partition: related,
  lag: related,
});

export function consumerGroupOperations(): Operation[] {
  return [
    operation({
      id: "listConsumerGroups",
      method: "GET",
      path: GROUPS,
      tag: "groups",
      summary: "All consumer groups by name",
      access: onCluster("describe"),
      responses: { 200: { description: "a list", content: { [JSON_TYPE]: listOf("KafkaConsumerGroup", groupSchema) } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const groups = await groupsOf(exchange);
        const all = await groups.list();
        const shown = all.filter(({ group }) => exchange.may({ resource: "group", operation: "describe", name: group }));
        const described = await inParallel(shown, GROUPS_AT_ONCE, ({ group }) => groups.describe(group).catch(deletedMeanwhile));
        const data = described.flatMap((group) => (group === undefined ? [] : [groupResource(exchange, links, group)]));
        return json(links.list("KafkaConsumerGroup", exchange.call.path, data));
      },
    }),
    operation({
      id: "getConsumerGroup",
      method: "GET",
      path: GROUP,
      tag: "groups",
      summary: "One consumer group",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "the group", content: { [JSON_TYPE]: groupSchema } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        return json(groupResource(exchange, links, await describe(exchange)));
      },
    }),
    operation({
      id: "listConsumers",
      method: "GET",
      path: `${GROUP}/consumers`,
      tag: "groups",
      summary: "The members of a group",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "a list", content: { [JSON_TYPE]: listOf("KafkaConsumer", consumerSchema) } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const { members } = await describe(exchange);
        const data = members.map((member) => consumerResource(exchange, links, member));
        return json(links.list("KafkaConsumer", exchange.call.path, data));
      },
    }),
    operation({
      id: "getConsumer",
      method: "GET",
      path: CONSUMER,
      tag: "groups",
      summary: "One member of a group",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "the member", content: { [JSON_TYPE]: consumerSchema } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        return json(consumerResource(exchange, links, await member(exchange)));
      },
    }),
    operation({
      id: "listConsumerAssignments",
      method: "GET",
      path: ASSIGNMENTS,
      tag: "groups",
      summary: "The partitions that a member of a group has",
      access: onGroup("describe", "group"),
      responses: {
        200: { description: "a list", content: { [JSON_TYPE]: listOf("KafkaConsumerAssignment", assignmentSchema) } },
      },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const { memberId, assigned } = await member(exchange);
        const data = assigned.flatMap(({ topic, partitions }) =>
          partitions.map((partition) => assignmentResource(exchange, links, memberId, topic, partition)),
        );
        return json(links.list("KafkaConsumerAssignment", exchange.call.path, data));
      },
    }),
    operation({
      id: "getConsumerAssignment",
      method: "GET",
      path: `${ASSIGNMENTS}/{topic}/partitions/{partition}`,
      tag: "groups",
      summary: "One partition that a member of a group has",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "the assignment", content: { [JSON_TYPE]: assignmentSchema } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const [topic, partition] = [exchange.param("topic"), exchange.partition()];
        const { memberId, assigned } = await member(exchange);
        if (!assigned.some((one) => one.topic === topic && one.partitions.includes(partition)))
          throw new BrokerlessError(
            "not_found",
            `consumer "${memberId}" does not have partition ${partition} of topic "${topic}"`,
          );
        return json(assignmentResource(exchange, links, memberId, topic, partition));
      },
    }),
  ];
}

async function describe(exchange: Exchange): Promise<GroupDescription> {
  return (await groupsOf(exchange)).describe(exchange.param("group"));
}

async function member(exchange: Exchange): Promise<MemberDescription> {
  const id = exchange.param("consumer");
  const found = (await describe(exchange)).members.find(({ memberId }) => memberId === id);
  if (found !== undefined) return found;
  throw new BrokerlessError("unknown_member", `group "${exchange.param("group")}" has no consumer ${JSON.stringify(id)}`);
}

function deletedMeanwhile(error: unknown): undefined {
  if (error instanceof BrokerlessError && error.code === "unknown_group") return undefined;
  throw error;
}

/** The link to a part of a group, and its name. */
function named(exchange: Exchange, links: Links, group: string, path: readonly string[], name: string) {
  const parts = [group, ...path].map(encodeURIComponent).join("/");
  return {
    self: `${links.cluster}/consumer-groups/${parts}`,
    resource_name: `crn:///kafka=${exchange.param("cluster_id")}/consumer-group=${group}${name}`,
  };
}

function groupResource(exchange: Exchange, links: Links, group: GroupDescription): z.infer<typeof groupSchema> {
  const metadata = named(exchange, links, group.group, [], "");
  return {
    kind: "KafkaConsumerGroup",
    metadata,
    cluster_id: exchange.param("cluster_id"),
    consumer_group_id: group.group,
    is_simple: group.protocolType === "",
    partition_assignor: group.assignor,
    // CompletingRebalance is COMPLETING_REBALANCE there.
    state: group.phase.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase(),
    type: group.type.toUpperCase(),
    coordinator: { related: `${links.cluster}/brokers/0` },
    consumers: { related: `${metadata.self}/consumers` },
    lag_summary: { related: `${metadata.self}/lag-summary` },
  };
}

function consumerResource(exchange: Exchange, links: Links, member: MemberDescription): z.infer<typeof consumerSchema> {
  const group = exchange.param("group");
  const { memberId, instanceId, client } = member;
  const metadata = named(exchange, links, group, ["consumers", memberId], `/consumer=${memberId}`);
  return {
    kind: "KafkaConsumer",
    metadata,
    cluster_id: exchange.param("cluster_id"),
    consumer_group_id: group,
    consumer_id: memberId,
    instance_id: instanceId ?? null,
    client_id: client.clientId,
    assignments: { related: `${metadata.self}/assignments` },
  };
}

function assignmentResource(
  exchange: Exchange,
  links: Links,
  memberId: string,
  topic: string,
  partition: number,
): z.infer<typeof assignmentSchema> {
  const group = exchange.param("group");
  const path = ["consumers", memberId, "assignments", topic, "partitions", String(partition)];
  return {
    kind: "KafkaConsumerAssignment",
    metadata: named(exchange, links, group, path, `/consumer=${memberId}/assignment=${topic}/partition=${partition}`),
    cluster_id: exchange.param("cluster_id"),
    consumer_group_id: group,
    consumer_id: memberId,
    topic_name: topic,
    partition_id: partition,
    partition: { related: `${links.topic(topic)}/partitions/${partition}` },
    lag: { related: named(exchange, links, group, ["lags", topic, "partitions", String(partition)], "").self },
  };
}
