/** Requests name topics by name, or in newer versions by id: both as the log takes them. */
import type { BrokerlessError } from "../base/errors.ts";
import type { Surface } from "./call.ts";
import { type ErrorFields, errorFields, kafkaError } from "./errors.ts";

export interface TopicName {
  readonly topic: string;
  /** Where the request named it by id: it must be this one. */
  readonly topicId?: string;
}

export type NamedOrNot = { readonly found: TopicName } | { readonly error: ErrorFields };

/** `byId`: this version of the API names topics by id. */
export async function topicNameOf(surface: Surface, byId: boolean, name: string, topicId: string): Promise<NamedOrNot> {
  if (!byId) return { found: { topic: name } };
  const topic = await surface.topicIds.topic(topicId);
  return topic === undefined ? { error: UNKNOWN_ID } : { found: { topic: topic.name, topicId } };
}

const UNKNOWN_ID = kafkaError("UNKNOWN_TOPIC_ID", "no topic has this id");

/** The error of a partition: a topic that was named by id and is gone has a code of its own. */
export function partitionError(byId: boolean, error: BrokerlessError): ErrorFields {
  return byId && error.code === "unknown_topic" ? UNKNOWN_ID : errorFields(error);
}
