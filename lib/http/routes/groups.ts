/** Consumer groups over HTTP: a consumer in one call, and what an administrator asks. */
import * as z from "zod";
import type { GroupDescription, GroupsApi, TopicPartitions } from "../../groups/types.ts";
import { onCluster, onGroup } from "../access.ts";
import { json, noContent } from "../call.ts";
import { errorBody } from "../errors.ts";
import { commit, commitSchema, groupsOf, leave, leaveSchema, poll, pollSchema } from "../groups/poll.ts";
import type { Limits } from "../limits.ts";
import { type Operation, operation } from "../operation.ts";
import { JSON_TYPE } from "../produce/media.ts";
import { jsonBody } from "./topics.ts";

const GROUP = "/v1/groups/{group}";

const refused = z.looseObject({ topic: z.string(), partition: z.int(), code: z.string(), message: z.string() });
const topicPartitions = z.array(z.object({ topic: z.string(), partitions: z.array(z.int()) }));

const listingSchema = z.object({ group: z.string(), type: z.string(), state: z.string(), protocol_type: z.string() });

const descriptionSchema = z.object({
  ...listingSchema.shape,
  epoch: z.int(),
  target_epoch: z.int(),
  assignor: z.string(),
  members: z.array(
    z.object({
      member_id: z.string(),
      instance_id: z.string().nullable(),
      client_id: z.string(),
      client_host: z.string(),
      epoch: z.int().nullable(),
      assignment: topicPartitions,
      target: topicPartitions.nullable(),
    }),
  ),
});

const offsetSchema = z.object({
  topic: z.string(),
  partition: z.int(),
  offset: z.int(),
  metadata: z.string(),
  committed_at: z.int().describe("milliseconds since 1970"),
});

const commitOffsetsSchema = z.strictObject({
  offsets: z
    .array(
      z.strictObject({ topic: z.string(), partition: z.int().min(0), offset: z.int().min(0), metadata: z.string().optional() }),
    )
    .min(1)
    .max(10_000),
});

const deleteOffsetsSchema = z.strictObject({
  partitions: z
    .array(z.strictObject({ topic: z.string(), partition: z.int().min(0) }))
    .min(1)
    .max(10_000),
});

const answersSchema = z.object({
  offsets: z.array(z.looseObject({ topic: z.string(), partition: z.int(), error: z.looseObject({}).optional() })),
});

const content = <T extends z.ZodType>(schema: T) => ({ [JSON_TYPE]: schema });

export function groupOperations(limits: Limits): Operation[] {
  const body = pollSchema(limits);
  return [
    operation({
      id: "pollGroup",
      method: "POST",
      path: `${GROUP}/poll`,
      tag: "groups",
      summary: "Join or stay, commit what the last poll returned, and read on: a consumer in one call",
      access: onGroup("read", "group"),
      body: content(body),
      responses: {
        200: {
          description: "records, and the cursor for the next poll, within 45 seconds",
          content: content(
            z.looseObject({
              records: z.array(z.looseObject({ topic: z.string(), partition: z.int(), offset: z.int() })),
              cursor: z.string(),
              member_id: z.string(),
              member_epoch: z.int(),
              heartbeat_interval_ms: z.int(),
              rebalanced: z.boolean(),
              assignment: topicPartitions,
              committed: z.int(),
              not_committed: z.array(refused),
            }),
          ),
        },
      },
      handle: (exchange) => poll(exchange, body),
    }),
    operation({
      id: "commitGroup",
      method: "POST",
      path: `${GROUP}/commit`,
      tag: "groups",
      summary: "Commit what the last poll returned, without another",
      access: onGroup("read", "group"),
      body: content(commitSchema),
      responses: {
        200: {
          description: "what became of it",
          content: content(z.object({ cursor: z.string(), committed: z.int(), not_committed: z.array(refused) })),
        },
      },
      handle: commit,
    }),
    operation({
      id: "leaveGroup",
      method: "POST",
      path: `${GROUP}/leave`,
      tag: "groups",
      summary: "Commit what the last poll returned, and leave: others get the partitions at once",
      access: onGroup("read", "group"),
      body: content(leaveSchema),
      responses: {
        200: {
          description: "left",
          content: content(z.object({ committed: z.int(), not_committed: z.array(refused) })),
        },
      },
      handle: leave,
    }),
    operation({
      id: "listGroups",
      method: "GET",
      path: "/v1/groups",
      tag: "groups",
      summary: "All groups by name",
      access: onCluster("describe"),
      responses: { 200: { description: "the groups", content: content(z.object({ groups: z.array(listingSchema) })) } },
      async handle(exchange) {
        const all = await (await groupsOf(exchange)).list();
        const shown = all.filter(({ group }) => exchange.may({ resource: "group", operation: "describe", name: group }));
        return json({ groups: shown.map(listing) });
      },
    }),
    operation({
      id: "describeGroup",
      method: "GET",
      path: GROUP,
      tag: "groups",
      summary: "A group with its members",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "the group", content: content(descriptionSchema) } },
      handle: async (exchange) => json(description(await (await groupsOf(exchange)).describe(exchange.param("group")))),
    }),
    operation({
      id: "deleteGroup",
      method: "DELETE",
      path: GROUP,
      tag: "groups",
      summary: "Delete a group that has no members, with its offsets",
      access: onGroup("admin", "group"),
      responses: { 204: { description: "deleted" } },
      async handle(exchange) {
        await (await groupsOf(exchange)).delete(exchange.param("group"));
        return noContent();
      },
    }),
    operation({
      id: "listGroupOffsets",
      method: "GET",
      path: `${GROUP}/offsets`,
      tag: "groups",
      summary: "What the group has committed",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "offsets", content: content(z.object({ offsets: z.array(offsetSchema) })) } },
      async handle(exchange) {
        const found = await (await groupsOf(exchange)).fetchOffsets({ group: exchange.param("group") });
        const offsets = found.map(({ topic, partition, offset, metadata, committedAtMs }) => ({
          topic,
          partition,
          offset,
          metadata,
          committed_at: committedAtMs,
        }));
        return json({ offsets });
      },
    }),
    operation({
      id: "commitGroupOffsets",
      method: "POST",
      path: `${GROUP}/offsets`,
      tag: "groups",
      summary: "Set offsets of a group that has no members",
      access: onGroup("read", "group"),
      body: content(commitOffsetsSchema),
      responses: { 200: { description: "what became of each", content: content(answersSchema) } },
      async handle(exchange) {
        const { offsets } = await jsonBody(exchange, commitOffsetsSchema);
        for (const { topic } of offsets) exchange.require({ resource: "topic", operation: "read", name: topic });
        return json({
          offsets: (await (await groupsOf(exchange)).commit({ group: exchange.param("group"), offsets })).map(answer),
        });
      },
    }),
    operation({
      id: "deleteGroupOffsets",
      method: "POST",
      path: `${GROUP}/offsets:delete`,
      tag: "groups",
      summary: "Forget offsets of partitions that no member reads",
      access: onGroup("admin", "group"),
      body: content(deleteOffsetsSchema),
      responses: { 200: { description: "what became of each", content: content(answersSchema) } },
      async handle(exchange) {
        const { partitions } = await jsonBody(exchange, deleteOffsetsSchema);
        return json({
          offsets: (await (await groupsOf(exchange)).deleteOffsets(exchange.param("group"), partitions)).map(answer),
        });
      },
    }),
  ];
}

function listing({ group, type, phase, protocolType }: Pick<GroupDescription, "group" | "type" | "phase" | "protocolType">) {
  return { group, type, state: phase, protocol_type: protocolType };
}

function description(group: GroupDescription): z.infer<typeof descriptionSchema> {
  return {
    ...listing(group),
    epoch: group.epoch,
    target_epoch: group.targetEpoch,
    assignor: group.assignor,
    members: group.members.map(({ memberId, instanceId, client, epoch, assigned, target }) => ({
      member_id: memberId,
      instance_id: instanceId ?? null,
      client_id: client.clientId,
      client_host: client.clientHost,
      epoch: epoch ?? null,
      assignment: assigned.map(shown),
      target: target?.map(shown) ?? null,
    })),
  };
}

function shown({ topic, partitions }: TopicPartitions): { topic: string; partitions: number[] } {
  return { topic, partitions: [...partitions] };
}

function answer({ topic, partition, error }: Awaited<ReturnType<GroupsApi["commit"]>>[number]) {
  return { topic, partition, ...(error === undefined ? {} : { error: errorBody(error) }) };
}
