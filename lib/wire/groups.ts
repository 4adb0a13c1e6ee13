/** What the handlers of the group APIs have in common. */
import { describeRight, type Right } from "../auth/index.ts";
import { BrokerlessError } from "../base/errors.ts";
import type { GroupClient, GroupsApi, MemberRef } from "../groups/types.ts";
import { KAFKA_ERRORS } from "../kafka/index.ts";
import { may, mayGroup, topicForbidden } from "./access.ts";
import type { Call } from "./call.ts";
import { kafkaCodeOf, kafkaError } from "./errors.ts";
import { type NamedOrNot, topicNameOf } from "./topic-names.ts";

/** For who may do this to the group. Throws `forbidden`. The handlers that ask for it are only there where there are groups. */
export function groupsFor(call: Call, operation: Right["operation"], group: string): GroupsApi {
  if (!mayGroup(call, operation, group)) {
    throw new BrokerlessError("forbidden", `this token lacks ${describeRight({ resource: "group", operation, name: group })}`);
  }
  return groupsOf(call);
}

export function groupsOf({ surface }: Call): GroupsApi {
  if (surface.groups === undefined) throw new BrokerlessError("unsupported_version", "this server has no groups");
  return surface.groups;
}

/** Shown as Kafka shows it: the client's id, and its address behind a slash. */
export function clientOf({ clientId, connection }: Call): GroupClient {
  const host = connection.peer.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return { clientId: clientId ?? "", clientHost: `/${host}` };
}

/** Without an id and below generation 0: an admin tool, or a consumer without group management. */
export function memberOf(memberId: string, epoch: number, instanceId: string | null): MemberRef | undefined {
  return memberId === "" && epoch < 0 && instanceId === null
    ? undefined
    : { memberId, epoch, instanceId: instanceId ?? undefined };
}

const STORAGE_TROUBLE: ReadonlySet<string> = new Set(["unavailable", "throttled", "storage_full", "shutting_down", "timeout"]);

/** What clients expect of a coordinator: where the storage is in trouble, they look for the coordinator again and go on. */
export function groupCodeOf(call: Call, error: unknown, request: string): number {
  const judged = call.surface.judge(error, request);
  const lost = judged.outcome === "unknown" && judged.code !== "internal";
  if (lost || STORAGE_TROUBLE.has(judged.code)) return KAFKA_ERRORS.COORDINATOR_NOT_AVAILABLE.code;
  return judged.code === "forbidden" ? KAFKA_ERRORS.GROUP_AUTHORIZATION_FAILED.code : kafkaCodeOf(judged);
}

/** Entries of the same topic as one, in the order of their first. */
export function byTopic<T extends { readonly topic: string }>(entries: readonly T[]): Map<string, T[]> {
  const topics = new Map<string, T[]>();
  for (const one of entries) {
    const some = topics.get(one.topic);
    if (some === undefined) topics.set(one.topic, [one]);
    else some.push(one);
  }
  return topics;
}

/** A topic that a request about offsets names, where who asks has this right on it. */
export async function topicFor(
  call: Call,
  byId: boolean,
  name: string,
  topicId: string,
  operation: Right["operation"],
): Promise<NamedOrNot> {
  if (!byId && !may(call, operation, name)) return { error: topicForbidden(operation, name) };
  const named = await topicNameOf(call.surface, byId, name, topicId);
  if ("error" in named || may(call, operation, named.found.topic)) return named;
  return { error: kafkaError("TOPIC_AUTHORIZATION_FAILED") };
}
