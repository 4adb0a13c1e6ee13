/** Lambda handlers over the HTTP app: one event, one answer, one line in the log. */
import type { Clock } from "../../ports/index.ts";
import type { Call, Reply } from "../call.ts";
import { asBrokerlessError, errorReply } from "../errors.ts";
import { EventCall, type LambdaEvent, methodOf, pathOf } from "./event.ts";
import { type LambdaReply, toLambdaReply } from "./reply.ts";
import { type ResponseSink, type StreamHead, sendStream } from "./stream.ts";

export interface LambdaParts {
  /** The HTTP app's. */
  readonly dispatch: (call: Call) => Promise<Reply>;
  readonly clock: Clock;
  /** Takes one line, without its end. */
  readonly line: (text: string) => void;
  /** Further fields of a call's line, asked for at its end. */
  readonly facts?: () => Readonly<Record<string, unknown>>;
  /** Where long answers can be had, for errors to name. */
  readonly streamUrl?: string | undefined;
}

/** What we use of Lambda's context. */
export interface LambdaContext {
  readonly awsRequestId: string;
  getRemainingTimeInMillis(): number;
}

/** Streams and long polls are ended this long before Lambda would stop the process. */
const LEAVE_MS = 1500;

/** Answers in one piece: API Gateway's HTTP and REST APIs. Never throws. */
export function apiHandler(parts: LambdaParts): (event: LambdaEvent, context: LambdaContext) => Promise<LambdaReply> {
  const calls = new Calls(parts);
  return (event, context) =>
    calls.run(event, context, async (reply) => {
      const { answer, sizeBytes } = await toLambdaReply(reply, methodOf(event), parts.streamUrl);
      return { answer, status: answer.statusCode, sizeBytes };
    });
}

/**
 * Answers as it goes: Function URLs with RESPONSE_STREAM. `open` sends status and headers and gives what takes the body
 * (`awslambda.HttpResponseStream.from`).
 */
export function streamHandler<Stream>(
  parts: LambdaParts,
  open: (stream: Stream, head: StreamHead) => ResponseSink,
): (event: LambdaEvent, stream: Stream, context: LambdaContext) => Promise<void> {
  const calls = new Calls(parts);
  return (event, stream, context) =>
    calls.run(event, context, async (reply, gone) => ({
      answer: undefined,
      status: reply.status,
      sizeBytes: await sendStream(reply, methodOf(event), (head) => open(stream, head), gone),
    }));
}

interface Sent<T> {
  readonly answer: T;
  readonly status: number;
  readonly sizeBytes: number;
}

class Calls {
  readonly #parts: LambdaParts;
  #cold = true;

  constructor(parts: LambdaParts) {
    this.#parts = parts;
  }

  async run<T>(
    event: LambdaEvent,
    context: LambdaContext,
    send: (reply: Reply, gone: () => void) => Promise<Sent<T>>,
  ): Promise<T> {
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    const cold = this.#cold;
    this.#cold = false;
    const leave = new AbortController();
    const over = new AbortController();
    clock.sleep(Math.max(0, context.getRemainingTimeInMillis() - LEAVE_MS), over.signal).then(
      () => leave.abort(),
      () => undefined,
    );
    let status = 500;
    let sizeBytes = 0;
    let failure: unknown;
    try {
      const sent = await send(await this.#respond(event, leave.signal), () => leave.abort());
      ({ status, sizeBytes } = sent);
      return sent.answer;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      over.abort();
      this.#say(event, context, {
        status,
        ms: Math.round((clock.monotonicMs() - startedMs) * 10) / 10,
        bytes: sizeBytes,
        ...(cold ? { cold } : {}),
        ...(failure === undefined ? {} : { error: failure instanceof Error ? failure.message : String(failure) }),
      });
    }
  }

  async #respond(event: LambdaEvent, signal: AbortSignal): Promise<Reply> {
    try {
      return await this.#parts.dispatch(new EventCall(event, signal));
    } catch (error) {
      return errorReply(asBrokerlessError(error));
    }
  }

  #say(event: LambdaEvent, { awsRequestId }: LambdaContext, more: Readonly<Record<string, unknown>>): void {
    const timestamp = new Date(this.#parts.clock.nowMs()).toISOString();
    const level = "error" in more ? "ERROR" : "INFO";
    const line = { timestamp, level, requestId: awsRequestId, method: methodOf(event), path: pathOf(event).slice(0, 512) };
    this.#parts.line(JSON.stringify({ ...line, ...more, ...this.#parts.facts?.() }));
  }
}
