/** `ack`, `release`, `reject`, `extend`: what became of messages, each by its receipt. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import type { AcknowledgeType, ShareGroupsApi } from "../../groups/share/types.ts";
import { json, type Reply } from "../call.ts";
import { asBrokerlessError, errorBody } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import { jsonBody } from "../routes/topics.ts";
import { decodeReceipt, type Receipt } from "./receipt.ts";
import { sharesOf, visibilitySchema } from "./receive.ts";

const RECEIPTS_MOST = 1_000;
/** KIP-932: accept, release, reject; KIP-1222: renew. */
const TYPES: Readonly<Record<string, AcknowledgeType>> = { ack: 1, release: 2, reject: 3, extend: 4 };

export const settleSchema = z.strictObject({ receipts: z.array(z.string().min(1).max(600)).min(1).max(RECEIPTS_MOST) });
export const extendSchema = z.strictObject({ ...settleSchema.shape, visibility_timeout_ms: visibilitySchema.optional() });

export const settledSchema = z.object({
  settled: z.int(),
  results: z.array(z.looseObject({ receipt: z.string(), code: z.string().optional(), message: z.string().optional() })),
});

/** One answer a receipt, in their order; those that could not be settled have an error's fields. */
export async function settle(exchange: Exchange, how: keyof typeof TYPES): Promise<Reply> {
  const body = await jsonBody(exchange, how === "extend" ? extendSchema : settleSchema);
  const lockMs = "visibility_timeout_ms" in body ? (body.visibility_timeout_ms as number | undefined) : undefined;
  const receipts = body.receipts.map((text, i) => decodeReceipt(text, `receipts[${i}]`));
  for (const topic of new Set(receipts.map(({ topic }) => topic)))
    exchange.require({ resource: "topic", operation: "read", name: topic });
  const ids = await topicIds(exchange, receipts);
  const shares = await sharesOf(exchange);
  const errors = new Map<Receipt, BrokerlessError>();
  const rows = new Map<string, Receipt[]>();
  for (const one of receipts) {
    const known = ids.get(one.topic);
    if (known instanceof BrokerlessError) errors.set(one, known);
    else if (known !== one.topicId) {
      errors.set(one, new BrokerlessError("unknown_topic", `topic "${one.topic}" was deleted and made again since`));
    } else {
      const place = `${one.holder} ${one.topicId} ${one.partition}`;
      rows.set(place, [...(rows.get(place) ?? []), one]);
    }
  }
  const how_ = { group: exchange.param("group"), type: TYPES[how] as AcknowledgeType, lockMs };
  await Promise.all([...rows.values()].map((some) => settleRow(shares, how_, some, errors)));
  const results = receipts.map((one, i) => {
    const error = errors.get(one);
    return { receipt: body.receipts[i] as string, ...(error === undefined ? {} : errorBody(error)) };
  });
  return json({ settled: receipts.length - errors.size, results });
}

/** A right is on the name, a receipt is for the id: both must be of the same topic. */
async function topicIds(exchange: Exchange, receipts: readonly Receipt[]): Promise<Map<string, string | BrokerlessError>> {
  const names = [...new Set(receipts.map(({ topic }) => topic))];
  const ids = await Promise.all(
    names.map(async (name) => {
      try {
        return (await exchange.surface.log.topic(name)).id;
      } catch (error) {
        if (error instanceof BrokerlessError) return error;
        throw error;
      }
    }),
  );
  return new Map(names.map((name, i) => [name, ids[i] as string | BrokerlessError]));
}

interface How {
  readonly group: string;
  readonly type: AcknowledgeType;
  readonly lockMs: number | undefined;
}

/** Receipts of one holder in one partition: together; and one by one where not all of them can be settled. */
async function settleRow(
  shares: ShareGroupsApi,
  how: How,
  receipts: readonly Receipt[],
  errors: Map<Receipt, BrokerlessError>,
): Promise<void> {
  const { group, type, lockMs } = how;
  const { holder, topicId, partition } = receipts[0] as Receipt;
  const offsets = [...new Set(receipts.map(({ offset }) => offset))].sort((a, b) => a - b);
  const batches = offsets.map((offset) => ({ firstOffset: offset, lastOffset: offset, types: [type], lockMs }));
  let error: BrokerlessError | undefined;
  try {
    error = (await shares.acknowledge({ group, holder, partitions: [{ topicId, partition, batches }] }))[0]?.error;
  } catch (thrown) {
    error = asBrokerlessError(thrown);
  }
  if (error === undefined) return;
  if (error.code === "invalid_record_state" && offsets.length > 1) {
    const byOffset = Map.groupBy(receipts, ({ offset }) => offset);
    await Promise.all([...byOffset.values()].map((some) => settleRow(shares, how, some, errors)));
    return;
  }
  for (const one of receipts) errors.set(one, error);
}
