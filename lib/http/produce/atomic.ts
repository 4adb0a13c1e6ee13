/**
 * `POST /v1/produce`: records to several partitions and topics, and offsets of a group with them, all or none
 * (`docs/decisions/006-atomic-over-http.md`).
 */
import { BrokerlessError } from "../../base/errors.ts";
import { decodeCursor } from "../../groups/poll/cursor.ts";
import type { CommitRequest, GroupsApi } from "../../groups/types.ts";
import type { AppendOptions, AppendRequest, AtomicAppendOptions, Companion, Topic } from "../../log/types.ts";
import { json, jsonText, type Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { type ParsedDocument, type ParsedRecord, parseRecords } from "../json/records.ts";
import { ATOMIC } from "../json/shapes.ts";
import { appendResultText, begin, committedFirst } from "./append.ts";
import { groupByPartition } from "./grouping.ts";
import { JSON_TYPE, unsupportedType } from "./media.ts";
import { type ProduceQuery, partitionerFor, produceOptions } from "./options.ts";
import { encodeGroups, requirePartitions } from "./to-topic.ts";

/** The most partitions of one atomic append; the storage's transactions set it. */
const ATOMIC_PARTITIONS_MOST = 90;

export async function produceAtomically(exchange: Exchange<ProduceQuery>): Promise<Reply> {
  const { surface } = exchange;
  const options = produceOptions(exchange, false);
  const type = exchange.contentType();
  if (type !== undefined && type !== JSON_TYPE) throw unsupportedType(type, [JSON_TYPE]);
  const { records, commit } = parseRecords(await exchange.body(), ATOMIC, surface.limits);

  const byTopic = new Map<string, { records: ParsedRecord[]; indexes: number[] }>();
  for (const [i, record] of records.entries()) {
    const name = record.topic as string;
    const group = byTopic.get(name);
    if (group === undefined) byTopic.set(name, { records: [record], indexes: [i] });
    else {
      group.records.push(record);
      group.indexes.push(i);
    }
  }
  for (const name of byTopic.keys()) exchange.require({ resource: "topic", operation: "write", name });
  const committing = commit && (await requestOf(exchange, commit));
  if (committing !== undefined && records.length === 0) return commitAlone(committing);
  const topics = await Promise.all([...byTopic.keys()].map((name) => surface.log.topic(name)));
  const requests: AppendRequest[] = [];
  for (const topic of topics) {
    const mine = byTopic.get(topic.name) as { records: ParsedRecord[]; indexes: number[] };
    const groups = groupByPartition(mine.records, topic as Topic, partitionerFor(surface, options));
    await requirePartitions(exchange, topic, groups);
    requests.push(...encodeGroups(exchange, topic, groups, (index) => `records[${mine.indexes[index]}]`));
  }
  if (requests.length > ATOMIC_PARTITIONS_MOST) {
    throw new BrokerlessError(
      "invalid_request",
      `the records go to ${requests.length} partitions; at most ${ATOMIC_PARTITIONS_MOST} can be written as one`,
      { field: "records" },
    );
  }
  const append = committing && withCompanion(options.append, committing.groups.commitWith(committing.request));
  if (options.fireAndForget && surface.outlivesAnswer) {
    await begin(exchange, surface.log.appendAtomically(requests, append ?? options.append));
    return json({ acks: "0" }, 202);
  }
  const results = await surface.log.appendAtomically(requests, append ?? options.append);
  const committed = commit === undefined ? "" : `,"committed":${commit.offsets.length}`;
  const reply = jsonText(`{"partitions":[${results.map(appendResultText).join(",")}]${committed}}`);
  return options.fireAndForget ? committedFirst(reply) : reply;
}

interface Committing {
  readonly groups: GroupsApi;
  readonly request: CommitRequest;
}

/** The hash of the request is taken late (`keyed`). */
function withCompanion(options: AppendOptions | undefined, companion: Companion): AtomicAppendOptions {
  const { idempotencyKey } = options ?? {};
  if (idempotencyKey === undefined) return { with: companion };
  return {
    idempotencyKey,
    with: companion,
    get requestHash() {
      return options?.requestHash as string;
    },
  };
}

/** Offsets that go with the records: of a consumer, by its cursor; or of a group without members. */
async function requestOf(exchange: Exchange, commit: NonNullable<ParsedDocument["commit"]>): Promise<Committing> {
  const { group, cursor: text, offsets } = commit;
  exchange.require({ resource: "group", operation: "read", name: group });
  for (const { topic } of offsets) exchange.require({ resource: "topic", operation: "read", name: topic });
  const names = new Set(offsets.map(({ topic, partition }) => `${topic}/${partition}`));
  if (names.size < offsets.length) throw invalidCommit("names a partition twice");
  const groups = await exchange.surface.groups?.();
  if (groups === undefined) throw new BrokerlessError("not_found", "this server has no consumer groups");
  if (text === undefined) return { groups, request: { group, offsets } };
  const { memberId, epoch, instanceId, positions } = decodeCursor(text, group);
  const had = new Set(positions.map(({ topic, partition }) => `${topic}/${partition}`));
  for (const name of names) if (!had.has(name)) throw invalidCommit(`has ${name}, which the consumer did not have`);
  const member = instanceId === undefined ? { memberId, epoch } : { memberId, epoch, instanceId };
  return { groups, request: { group, member, offsets } };
}

/** Without records it is a commit as any other: each partition for itself; the first that is refused is the answer. */
async function commitAlone({ groups, request }: Committing): Promise<Reply> {
  const refused = (await groups.commit(request)).find(({ error }) => error !== undefined);
  if (refused?.error !== undefined) throw refused.error;
  return json({ partitions: [], committed: request.offsets.length });
}

function invalidCommit(what: string): BrokerlessError {
  return new BrokerlessError("invalid_request", `commit.offsets ${what}`, { field: "commit.offsets" });
}
