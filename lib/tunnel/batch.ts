/** Which frames of one connection go in one request, and which answer is whose. Pure rules. */
import { BrokerlessError } from "../base/errors.ts";
import { apiKeyOf, LENGTH_BYTES, lengthPrefix } from "../wire/framing.ts";
import type { Answer } from "../wire/tcp/types.ts";
import { isSasl, mayBeUnanswered, mayWait } from "./api-keys.ts";

const MAX_FRAMES = 64;
const MAX_BYTES = 1024 * 1024;

/**
 * How many of the waiting frames go together, from the first on: one at a time is under way, so that order is kept.
 * What may be answered late on purpose goes alone, for it would hold up the answers before it.
 */
export function takeTogether(waiting: readonly Uint8Array[], running: readonly Uint8Array[]): number {
  if (running.length > 0) return 0;
  let count = 0;
  let sizeBytes = 0;
  for (const frame of waiting) {
    const apiKey = apiKeyOf(frame);
    if (count > 0 && (isSasl(apiKey) || mayWait(apiKey))) break;
    sizeBytes += LENGTH_BYTES + frame.byteLength;
    if (count > 0 && (count === MAX_FRAMES || sizeBytes > MAX_BYTES)) break;
    count++;
    if (isSasl(apiKey) || mayWait(apiKey)) break;
  }
  return count;
}

/**
 * Answers by their correlation ids; fewer than frames where the server answered no further. Throws `unavailable` for
 * answers to something else: that was no server of ours.
 */
export function matchAnswers(frames: readonly Uint8Array[], responses: readonly Uint8Array[]): readonly Answer[] {
  const answers: Answer[] = [];
  let next = 0;
  for (const frame of frames) {
    const response = responses[next];
    if (response !== undefined && correlationId(response, 0) === correlationId(frame, 4)) {
      answers.push([lengthPrefix(response.byteLength), response]);
      next++;
    } else if (mayBeUnanswered(apiKeyOf(frame))) answers.push(undefined);
    else break;
  }
  if (next < responses.length) throw new BrokerlessError("unavailable", "the server answered something that was not asked");
  return answers;
}

function correlationId(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(at);
}
