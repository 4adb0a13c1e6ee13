/**
 * Receipts: what a worker shows to settle a message that it was given. The holder in it is made for each receive, of 72 random bits,
 * so nobody has a receipt that was not given one.
 */
import { BrokerlessError } from "../../base/errors.ts";

export interface Receipt {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly holder: string;
}

const FORM = /^1:([a-zA-Z0-9._-]{1,249}):([\w-]{22}):(\d{1,5}):(\d{1,15}):([\w-]{12})$/;

/** Nothing in it needs an escape in JSON. */
export function encodeReceipt({ topic, topicId, partition, offset, holder }: Receipt): string {
  return Buffer.from(`1:${topic}:${topicId}:${partition}:${offset}:${holder}`, "latin1").toString("base64url");
}

/** Throws `invalid_request` for what was never given. */
export function decodeReceipt(text: string, field: string): Receipt {
  const found = FORM.exec(Buffer.from(text, "base64url").toString("latin1"));
  if (found === null) {
    throw new BrokerlessError(
      "invalid_request",
      `${field} is no receipt of a message; it is ${JSON.stringify(text.slice(0, 60))}`,
      {
        field,
      },
    );
  }
  const [, topic, topicId, partition, offset, holder] = found as unknown as [string, string, string, string, string, string];
  return { topic, topicId, partition: Number(partition), offset: Number(offset), holder };
}
