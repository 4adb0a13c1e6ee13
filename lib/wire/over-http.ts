/**
 * Frames in a body, answered in order (`POST /kafka`). Nothing is kept between requests.
 *
 * As on a connection: what fails is not answered, and neither is what comes after it. Where something was answered before
 * it, those answers are the whole reply, and the caller takes it as a connection that was closed after them.
 */
import { apiKeyOf, framesOf } from "./framing.ts";
import type { Answer, FrameService } from "./tcp/types.ts";

/** The pieces of the reply. Throws what is wrong with the body, or with the first request in it. */
export async function answerBody<State>(
  body: Uint8Array,
  service: Pick<FrameService<State>, "take" | "answer">,
  state: State,
  signal: AbortSignal,
): Promise<readonly Uint8Array[]> {
  const waiting = [...framesOf(body, body.byteLength)];
  const running: Uint8Array[] = [];
  const runs: { readonly count: number; readonly answers: Promise<readonly Answer[]> }[] = [];
  const pieces: Uint8Array[] = [];
  let isFirst = true;
  while (waiting.length > 0 || runs.length > 0) {
    const count = waiting.length === 0 ? 0 : service.take(waiting, running);
    if (count > 0) {
      const frames = waiting.splice(0, count);
      const answers = service.answer(frames, state, signal);
      // Looked at when it is its turn.
      answers.catch(() => {});
      running.push(...frames);
      runs.push({ count, answers });
      continue;
    }
    const run = runs.shift() as (typeof runs)[number];
    let answers: readonly Answer[];
    try {
      answers = await run.answers;
    } catch (error) {
      await Promise.allSettled(runs.map(({ answers: later }) => later));
      if (isFirst) throw error;
      return pieces;
    }
    isFirst = false;
    running.splice(0, run.count);
    for (const answer of answers) if (answer !== undefined) pieces.push(...answer);
    if (answers.length < run.count) return pieces;
  }
  return pieces;
}

const PRODUCE = 0;
const PIPELINE = 8;

/**
 * How many requests of a connection are answered at once: one, as a broker does, so that each sees what those before it
 * did. Only records may be on their way to the storage several requests at a time: the log keeps their order.
 */
export function takeInOrder(waiting: readonly Uint8Array[], running: readonly Uint8Array[]): number {
  if (running.length === 0) return 1;
  return running.length < PIPELINE && isProduce(waiting[0]) && running.every(isProduce) ? 1 : 0;
}

function isProduce(frame: Uint8Array | undefined): boolean {
  return frame !== undefined && apiKeyOf(frame) === PRODUCE;
}
