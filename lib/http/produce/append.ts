/** Appends of one request, and their answers. */
import { BrokerlessError } from "../../base/errors.ts";
import type { AppendOptions, AppendRequest, AppendResult } from "../../log/types.ts";
import { json, jsonText, type Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import type { ProduceOptions } from "./options.ts";

/** Appends to one partition and answers as the request's acks say. */
export async function appendAndReply(exchange: Exchange, request: AppendRequest, options: ProduceOptions): Promise<Reply> {
  const { log, outlivesAnswer } = exchange.surface;
  if (options.fireAndForget && outlivesAnswer) {
    await begin(exchange, log.append(request, options.append));
    return acceptedReply(request.topic, request.partition);
  }
  const reply = jsonText(appendResultText(await log.append(request, options.append)));
  return options.fireAndForget ? committedFirst(reply) : reply;
}

export function appendResultText(result: AppendResult): string {
  // The topic exists, so its name needs no escaping.
  const time = result.logAppendTimeMs === undefined ? "" : `,"log_append_time":${result.logAppendTimeMs}`;
  return (
    `{"topic":"${result.topic}","partition":${result.partition},"base_offset":${result.baseOffset},` +
    `"record_count":${result.recordCount}${time},"log_start_offset":${result.logStartOffset},"duplicate":${result.duplicate}}`
  );
}

/** acks=0: not committed yet, and nobody will say if it is. */
export function acceptedReply(topic: string, partition?: number): Reply {
  return json({ topic, ...(partition === undefined ? {} : { partition }), acks: "0" }, 202);
}

/** acks=0 where the process may end with its answer: it has committed, and says so. */
export function committedFirst(reply: Reply): Reply {
  reply.headers["kafka-acks"] = "all";
  return reply;
}

/**
 * Lets an append go on after the answer. What is wrong with the request shows at once, before anything is committed, and
 * is thrown; what fails later is counted. The request's bytes stay held until it is over.
 */
export async function begin(exchange: Exchange, append: Promise<unknown>): Promise<void> {
  const { budget, metrics } = exchange.surface;
  let answered = false;
  const judged = Promise.race([append, new Promise<void>((resolve) => setImmediate(resolve))]);
  const held = exchange.handOver();
  append
    .catch(() => {
      if (answered) metrics.count("http_produce_acks0_failed");
    })
    .finally(() => budget.give(held));
  await judged;
  answered = true;
}

/**
 * Appends each group to its partition. Groups fail or succeed by themselves; with an idempotency key they are all done
 * or none. Throws where all of them failed.
 */
export async function appendGroups(
  exchange: Exchange,
  requests: readonly AppendRequest[],
  options: AppendOptions | undefined,
): Promise<(AppendResult | BrokerlessError)[]> {
  const { log } = exchange.surface;
  if (requests.length === 1) return [await log.append(requests[0] as AppendRequest, options)];
  if (options?.idempotencyKey !== undefined) return log.appendAtomically(requests, options);
  const settled = await Promise.allSettled(requests.map((request) => log.append(request)));
  const results = settled.map((one) => {
    if (one.status === "fulfilled") return one.value;
    if (one.reason instanceof BrokerlessError) return one.reason;
    throw one.reason;
  });
  const failed = results.find((result) => result instanceof BrokerlessError);
  if (failed !== undefined && results.every((result) => result instanceof BrokerlessError)) throw failed;
  return results;
}
