/** `GET /v1/queues/{group}` and `POST .../redrive`: what there is to do in a queue, and dead letters back into it. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import { redrive } from "../../groups/share/redrive.ts";
import { countsOf, type QueueCounts, queueDepths, workOf } from "../../lag/queues.ts";
import { json, type Reply } from "../call.ts";
import { errorBody } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import { groupsOf } from "../groups/poll.ts";
import { jsonBody } from "../routes/topics.ts";
import { sharesOf } from "./receive.ts";

const DEAD_LETTERS = "errors.deadletterqueue.topic.name";

const counts = {
  depth: z.int().describe("messages to be received, now or later"),
  in_flight: z.int().describe("received, and not settled"),
  parked: z.int().describe("of both: kept apart, because their time has not come or others went ahead"),
  dying: z.int().describe("rejected or delivered too often, and not in the dead-letter topic yet"),
  dead_letters: z.int().describe("rejected or delivered too often, ever"),
  oldest_age_ms: z.int().nullable().describe("of the oldest message that is not settled"),
};

export const statsSchema = z.object({
  group: z.string(),
  dead_letter_topic: z.string().nullable(),
  ...counts,
  partitions: z.array(
    z.object({
      topic: z.string(),
      partition: z.int(),
      start_offset: z.int(),
      end_offset: z.int(),
      log_end_offset: z.int(),
      ...counts,
    }),
  ),
});

export const redriveSchema = z.strictObject({ max_messages: z.int().min(1).max(1_000).default(100) });

export const redrivenSchema = z.object({
  redriven: z.int(),
  skipped: z.int().describe("of other groups, or no dead letters"),
  failed: z.array(z.looseObject({ partition: z.int(), offset: z.int(), code: z.string(), message: z.string() })),
});

export async function stats(exchange: Exchange): Promise<Reply> {
  const group = exchange.param("group");
  const nowMs = exchange.surface.clock.nowMs();
  const depths = (await (await sharesOf(exchange)).depths(group)).filter(({ topic }) => maySee(exchange, topic));
  const partitions = depths.map((one) => ({
    topic: one.topic,
    partition: one.partition,
    start_offset: one.startOffset,
    end_offset: one.endOffset,
    log_end_offset: one.logEndOffset,
    ...countsJson(countsOf([one], nowMs)),
  }));
  const deadLetterTopic = await deadLetterTopicOf(exchange);
  return json({
    group,
    dead_letter_topic: deadLetterTopic ?? null,
    ...countsJson(countsOf(workOf(depths), nowMs)),
    partitions,
  });
}

export const queueRowSchema = z.object({ group: z.string(), topic: z.string(), ...counts, partitions: z.int() });

export async function listQueues(exchange: Exchange): Promise<Reply> {
  const rows: z.infer<typeof queueRowSchema>[] = [];
  const parts = { clock: exchange.surface.clock, shares: await sharesOf(exchange) };
  const isSeen = (name: string): boolean => exchange.may({ resource: "group", operation: "describe", name });
  for await (const topics of queueDepths(parts, isSeen)) {
    for (const one of topics) {
      if (!maySee(exchange, one.topic)) continue;
      rows.push({ group: one.group, topic: one.topic, ...countsJson(one), partitions: one.partitions.length });
    }
  }
  return json({ queues: rows });
}

function maySee(exchange: Exchange, topic: string): boolean {
  return exchange.may({ resource: "topic", operation: "describe", name: topic });
}

function countsJson({ depth, inFlight, parked, dying, deadLetters, oldestAgeMs }: QueueCounts) {
  return {
    depth,
    in_flight: inFlight,
    parked,
    dying,
    dead_letters: deadLetters,
    oldest_age_ms: oldestAgeMs ?? null,
  };
}

export async function redriveQueue(exchange: Exchange): Promise<Reply> {
  const { log, codecs, clock, ids } = exchange.surface;
  const group = exchange.param("group");
  const { max_messages } = await jsonBody(exchange, redriveSchema);
  const topic = await deadLetterTopicOf(exchange);
  if (topic === undefined) {
    throw new BrokerlessError(
      "invalid_request",
      `group "${group}" has no dead-letter topic; its config ${DEAD_LETTERS} names one`,
      {
        field: DEAD_LETTERS,
      },
    );
  }
  exchange.require({ resource: "topic", operation: "read", name: topic });
  const answer = await redrive(
    { log, codecs, shares: await sharesOf(exchange), nowMs: clock.nowMs() },
    {
      group,
      topic,
      holder: Buffer.from(ids.secret(9)).toString("base64url"),
      maxRecords: max_messages,
      checkTopic: (name) => exchange.require({ resource: "topic", operation: "write", name }),
    },
  );
  const failed = answer.failed.map(({ partition, offset, error }) => ({ partition, offset, ...errorBody(error) }));
  return json({ redriven: answer.redriven, skipped: answer.skipped, failed });
}

async function deadLetterTopicOf(exchange: Exchange): Promise<string | undefined> {
  const configs = await (await groupsOf(exchange)).configs(exchange.param("group"));
  return configs.find(({ name }) => name === DEAD_LETTERS)?.value || undefined;
}
